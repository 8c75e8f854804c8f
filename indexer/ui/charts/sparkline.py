"""Draw one or two series over days as small lines, without axes.

Called by the page of agents; drawn by the macro `sparkline`. The plot is 100 units wide and 24
high; days without a value interrupt the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

WIDTH, HEIGHT = 100.0, 24.0
_MARGIN = 2.0


class Sparkline(NamedTuple):
    """Lines as SVG path data, with the value of each position."""

    paths: list[str]
    dots: list[tuple[float, float]]
    """Values that have no neighbour, which no line would show."""


def sparkline(series: Sequence[Sequence[Optional[float]]]) -> Sparkline:
    """Return series of equal length on one scale from zero to the highest value."""
    highest = max((value for line in series for value in line if value is not None), default=0.0)
    paths, dots = [], []
    for line in series:
        path, lonely = _path(line, highest or 1.0)
        paths.append(path)
        dots += lonely
    return Sparkline(paths, dots)


def _path(line: Sequence[Optional[float]], highest: float) -> tuple[str, list[tuple[float, float]]]:
    points = [
        None if value is None else (_x(number, len(line)), _y(value, highest))
        for number, value in enumerate(line)
    ]
    steps, lonely = [], []
    for number, point in enumerate(points):
        if point is None:
            continue
        before = points[number - 1] if number else None
        after = points[number + 1] if number + 1 < len(points) else None
        steps.append(f"{'M' if before is None else 'L'}{point[0]:.1f} {point[1]:.1f}")
        if before is None and after is None:
            lonely.append((round(point[0], 1), round(point[1], 1)))
    return "".join(steps), lonely


def _x(number: int, count: int) -> float:
    return WIDTH * (number + 0.5) / max(1, count)


def _y(value: float, highest: float) -> float:
    return HEIGHT - _MARGIN - (HEIGHT - 2 * _MARGIN) * min(1.0, max(0.0, value / highest))
