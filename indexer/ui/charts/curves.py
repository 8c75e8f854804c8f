"""Draw a series of any length as a line with a point or two for each column of pixels.

Called by the page of a run; drawn by the macro `curve`. The plot is 600 by 160 units. Of the
values in a column the lowest and the highest are kept, so that no spike is lost.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Optional

from indexer.ui.queries.run.metrics import Point, Series

WIDTH, HEIGHT = 600.0, 160.0
_LARGEST = sys.float_info.max


class Scale(NamedTuple):
    """An axis: its ends and the round numbers on it."""

    low: float
    high: float
    ticks: list[float]

    def share(self, value: float) -> float:
        """Return where a value is between the ends, from 0 to 1."""
        # By halves: between the largest numbers of both signs no float can hold the distance.
        return (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)


class Curve(NamedTuple):
    """A series, ready to be drawn."""

    name: str
    path: str
    x: Scale
    y: Scale
    points: int
    last: float
    has_steps: bool
    is_cut: bool


def curve(
    series: Series, begin: Optional[float] = None, end: Optional[float] = None
) -> Optional[Curve]:
    """Return the curve of a series between two steps; None if there is nothing between them."""
    xs = [point.x for point in series.points]
    first = 0 if begin is None else bisect_left(xs, begin)
    after = len(xs) if end is None else bisect_right(xs, end)
    seen = series.points[first:after]
    if not seen:
        return None
    x = _exact(seen[0].x if begin is None else begin, seen[-1].x if end is None else end)
    y = scale(min(point.y for point in seen), max(point.y for point in seen))
    # One more on each side, so that the line leaves the picture rather than ending in it.
    around = series.points[max(0, first - 1) : after + 1]
    path = _path(_decimated(around, x), x, y)
    return Curve(series.name, path, x, y, len(seen), seen[-1].y, series.has_steps, series.is_cut)


def _decimated(points: Sequence[Point], x: Scale) -> list[Point]:
    if len(points) <= 2 * WIDTH:
        return list(points)
    kept: list[Point] = []
    columns: dict[int, list[Point]] = {}
    for point in points:
        columns.setdefault(int(x.share(point.x) * WIDTH), []).append(point)
    for column in sorted(columns):
        group = columns[column]
        low, high = min(group, key=lambda p: p.y), max(group, key=lambda p: p.y)
        kept += sorted({low, high}, key=lambda point: point.x)
    return kept


def _path(points: Sequence[Point], x: Scale, y: Scale) -> str:
    places = [
        f"{WIDTH * x.share(point.x):.1f} {HEIGHT * (1 - y.share(point.y)):.1f}" for point in points
    ]
    # A line from one point to itself is drawn as a dot.
    places *= 2 if len(places) == 1 else 1
    return f"M{'L'.join(places)}" if places else ""


def _exact(low: float, high: float) -> Scale:
    """Return a scale that ends where the values do."""
    if not high > low:
        low, high = low - 0.5, low + 0.5
    return Scale(low, high, [tick for tick in _ticks(low, high, 6) if low <= tick <= high])


def scale(low: float, high: float) -> Scale:
    """Return a scale with room around the values, that ends at round numbers."""
    if not high > low:
        room = abs(low) * 0.1 or 1.0
        low, high = max(low - room, -_LARGEST), min(high + room, _LARGEST)
    ticks = _ticks(low, high, 4)
    return Scale(min(low, ticks[0]), max(high, ticks[-1]), ticks)


def _ticks(low: float, high: float, count: int) -> list[float]:
    rough = high / count - low / count
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 and math.isfinite(rough) else 1.0
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    ticks = [number * step for number in range(first, min(last, first + 20) + 1)]
    return [tick for tick in ticks if math.isfinite(tick)]
