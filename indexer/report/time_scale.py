"""A scale of durations, with a row for each agent that shows its median and p95.

Used by the page. Positions are percentages of the width, so that rows fit any table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from indexer.report.markup import Markup, element, percent
from indexer.store.totals import RunCounts
from indexer.terminal.format import duration

_ROW = 22
_TICKS_OF_TIME = (
    1,
    10,
    100,
    1_000,
    10_000,
    60_000,
    600_000,
    3_600_000,
    36_000_000,
    86_400_000,
    864_000_000,
)


class TimeScale(NamedTuple):
    """A logarithmic scale of durations, shared by all rows of a table."""

    least: float
    most: float

    @classmethod
    def of(cls, agents: Sequence[RunCounts]) -> TimeScale:
        """Return the scale that has room for the durations of all agents."""
        durations = [d for one in agents for d in (one.p50_duration_ms, one.p95_duration_ms)]
        values = [max(1.0, float(one)) for one in durations if one is not None] or [1.0]
        return cls(min(values) / 1.5, max(values) * 1.5)

    def place(self, milliseconds: float) -> float:
        """Return where a duration is, in percent of the width."""
        along = math.log(max(1.0, milliseconds) / self.least) / math.log(self.most / self.least)
        return 100 * min(1.0, max(0.0, along))

    def ticks(self) -> list[int]:
        """Return the durations that get a line."""
        return [tick for tick in _TICKS_OF_TIME if self.least < tick < self.most]

    def header(self) -> Markup:
        """Return the scale itself, with names for the ticks that have room."""
        ticks = self.ticks()
        every = max(1, math.ceil(len(ticks) / 4))
        names = [
            element("text", _tick_name(tick), x=percent(self.place(tick)), y=13)
            for tick in ticks[::every]
            if 6 < self.place(tick) < 94
        ]
        return element("svg", *names, class_="scale", width="100%", height=18, aria_hidden="true")

    def row(self, agent: RunCounts) -> Markup:
        """Return a dot at the median of an agent's durations, and a line to their p95."""
        half, most = agent.p50_duration_ms, agent.p95_duration_ms
        if half is None or most is None:
            return Markup()
        left, right = percent(self.place(half)), percent(self.place(most))
        lines = [
            element("line", x1=place, x2=place, y1=0, y2=_ROW, class_="tick")
            for place in (percent(self.place(tick)) for tick in self.ticks())
        ]
        return element(
            "svg",
            element("title", f"median {duration(half)}, p95 {duration(most)}"),
            *lines,
            element("line", x1=left, x2=right, y1=11, y2=11, class_="span"),
            element("line", x1=right, x2=right, y1=7, y2=15, class_="span-end"),
            element("circle", cx=left, cy=11, r=4.5, class_="dot"),
            class_="span-bar",
            width="100%",
            height=_ROW,
            role="img",
        )


def _tick_name(milliseconds: int) -> str:
    for unit, name in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")):
        if milliseconds >= unit:
            return f"{milliseconds // unit} {name}"
    return f"{milliseconds} ms"
