"""Draw numbers over time as bars, stacked by status, or one series.

Called by the pages; drawn by the templates' macro `bars`. Heights are of a plot of 100 units,
positions across in percent, so that a chart is as wide as its page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

PLOT = 100.0
STACKED = ("success", "cancelled", "running", "stale", "other", "partial", "timeout", "failed")
"""The statuses of a stack, from its foot to its top."""
_TICKS = 3
_FILLING = 0.72
"""The part of its place that a bar takes."""


class Segment(NamedTuple):
    """A part of a bar."""

    y: float
    height: float
    status: str


class Bar(NamedTuple):
    """One bar, with its place and what it says."""

    label: str
    title: str
    x: float
    width: float
    place: float
    """The left edge of its part of the chart, in percent."""
    segments: list[Segment]
    total: float


class Tick(NamedTuple):
    """A line across the chart."""

    y: float
    value: float


class Bars(NamedTuple):
    """A chart."""

    bars: list[Bar]
    ticks: list[Tick]
    step: float
    """The width of a bar's place, in percent."""


def stacked_bars(parts: Sequence[tuple[str, str, Mapping[str, float]]]) -> Bars:
    """Return a chart of parts, each with a label, a title, and numbers by status."""
    totals = [sum(numbers.values()) for _, _, numbers in parts]
    top, ticks = _scale(max(totals, default=0))
    step = 100 / max(1, len(parts))
    bars = [
        Bar(
            label,
            title,
            (number + (1 - _FILLING) / 2) * step,
            step * _FILLING,
            number * step,
            _stack(numbers, top),
            total,
        )
        for number, ((label, title, numbers), total) in enumerate(zip(parts, totals))
    ]
    return Bars(bars, ticks, step)


def single_bars(parts: Sequence[tuple[str, str, Optional[float]]], status: str = "plain") -> Bars:
    """Return a chart of one series."""
    return stacked_bars([(label, title, {status: value or 0}) for label, title, value in parts])


def _stack(numbers: Mapping[str, float], top: float) -> list[Segment]:
    segments, foot = [], PLOT
    known: dict[str, float] = {}
    for status, number in numbers.items():
        name = status if status in STACKED or status == "plain" else "other"
        known[name] = known.get(name, 0) + number
    for status in (*STACKED, "plain"):
        if known.get(status):
            # Whatever happened at all can be seen.
            height = max(1.5, PLOT * known[status] / top)
            foot -= height
            segments.append(Segment(round(foot, 2), round(height, 2), status))
    return segments


def _scale(highest: float) -> tuple[float, list[Tick]]:
    """Return the top of the scale and its lines: 1, 2 or 5 times a power of ten apart."""
    if highest <= 0:
        return 1.0, []
    rough = highest / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    if highest >= 1:
        step = max(1.0, step)
    count = math.ceil(highest / step)
    top = step * count
    return top, [Tick(PLOT * (1 - n / count), step * n) for n in range(1, count + 1)]
