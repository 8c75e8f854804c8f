"""The ratios of a section, each with its spread and its goal, as SVG.

Called by the page. On a scale of powers of two, for twice the cost is as far from even as half.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from indexer.report.markup import Markup, element, together
from tools.performance.figure import Figure

_ALONG, _ROW = 430, 26
_CHARACTER, _GAP, _RIGHT = 6.5, 12, 60
"""Pixels: a character of a name takes as many, or less."""
_TOP, _BOTTOM = 34, 12
_INK, _PALE, _GOAL = "#1f4e79", "#c9d6e2", "#b3261e"


def picture(title: str, figures: Iterable[Figure]) -> str:
    """Return a dot for each median, a bar from the 10th to the 90th percentile, a line for a goal.

    Empty if no figure has a ratio.
    """
    rows = [figure for figure in figures if figure.ratio is not None]
    if not rows:
        return ""
    scale = _Scale(rows)
    height = _TOP + _ROW * len(rows) + _BOTTOM
    drawn = together(
        element("title", f"{title}: ours to the floor"),
        element("rect", width=scale.width, height=height, fill="#ffffff"),
        *(_tick(scale, power, height) for power in scale.powers()),
        *(_row(scale, figure, _TOP + _ROW * number) for number, figure in enumerate(rows)),
    )
    return element(
        "svg",
        drawn,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {scale.width} {height}",
        font_family="sans-serif",
        font_size=12,
        role="img",
    )


class _Scale:
    """Where a ratio stands along the width."""

    def __init__(self, rows: list[Figure]) -> None:
        values = [1.0]
        for row in rows:
            values += [value for value in row.ratio or () if value > 0]
            values += [row.goal.limit] if row.goal and row.goal.of == "ratio" else []
        self._least = math.floor(math.log2(min(values)))
        self._most = max(self._least + 1, math.ceil(math.log2(max(values))))
        self.left = 2 * _GAP + math.ceil(_CHARACTER * max(len(row.name) for row in rows))
        self.width = self.left + _ALONG + _RIGHT

    def powers(self) -> range:
        """Return the powers of two that have a line."""
        return range(self._least, self._most + 1)

    def place(self, ratio: float) -> float:
        """Return the place of a ratio, in pixels."""
        along = (math.log2(max(ratio, 2.0**self._least)) - self._least) / (self._most - self._least)
        return round(self.left + along * _ALONG, 1)


def _tick(scale: _Scale, power: int, height: int) -> Markup:
    place = scale.place(2.0**power)
    return together(
        element("line", x1=place, x2=place, y1=_TOP - 8, y2=height - _BOTTOM, stroke=_PALE),
        element("text", f"{2.0**power:g}", x=place, y=_TOP - 14, text_anchor="middle"),
    )


def _row(scale: _Scale, figure: Figure, top: int) -> Markup:
    median, low, high = figure.ratio or (1.0, 1.0, 1.0)
    middle = top + _ROW / 2
    left, right = scale.place(low), scale.place(high)
    goal = None
    if figure.goal and figure.goal.of == "ratio":
        place = scale.place(figure.goal.limit)
        goal = element(
            "line", x1=place, x2=place, y1=middle - 8, y2=middle + 8, stroke=_GOAL, stroke_width=2
        )
    return together(
        element("text", figure.name, x=scale.left - _GAP, y=middle + 4, text_anchor="end"),
        element("line", x1=left, x2=right, y1=middle, y2=middle, stroke=_INK, stroke_width=3),
        goal,
        element("circle", cx=scale.place(median), cy=middle, r=4.5, fill=_INK),
        element("text", f"{median:.2f}", x=scale.width - _RIGHT + 10, y=middle + 4),
    )
