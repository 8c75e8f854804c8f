"""Charts: whatever the numbers are, a picture of a bounded size that loses no spike."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("starlette", reason="the page needs the extra `ui`, and Python 3.10")

from indexer.ui.charts.bars import PLOT, stacked_bars
from indexer.ui.charts.curves import HEIGHT, WIDTH, curve
from indexer.ui.queries.run.metrics import Point, Series

_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def _points(path: str) -> list[tuple[float, float]]:
    pairs = (pair.split(" ") for pair in path[1:].split("L"))
    return [(float(x), float(y)) for x, y in pairs]


@settings(max_examples=80, deadline=None)
@given(st.lists(_NUMBERS, min_size=1, max_size=50))
def test_a_curve_stays_in_its_picture(values: list[float]) -> None:
    """Any finite numbers, the largest of both signs included."""
    points = [Point(float(step), value) for step, value in enumerate(values)]
    drawn = curve(Series("loss", points, has_steps=True, is_cut=False))
    assert drawn is not None
    for x, y in _points(drawn.path):
        assert -0.1 <= x <= WIDTH + 0.1
        assert math.isfinite(y)
    assert len(drawn.y.ticks) <= 22


def test_a_single_value_is_drawn() -> None:
    """As a line to itself, which is a dot."""
    drawn = curve(Series("loss", [Point(1.0, 2.0)], has_steps=True, is_cut=False))
    assert drawn is not None
    first, second = _points(drawn.path)
    assert first == second


def test_a_spike_among_a_hundred_thousand_values_is_drawn() -> None:
    """Each column of pixels keeps its lowest and its highest value."""
    points = [Point(float(step), 0.0) for step in range(100_000)]
    points[77_777] = Point(77_777.0, 5.0)
    drawn = curve(Series("loss", points, has_steps=True, is_cut=False))
    assert drawn is not None
    places = _points(drawn.path)
    assert len(places) <= 2 * (WIDTH + 1)
    top = HEIGHT * (1 - drawn.y.share(5.0))
    assert min(y for _, y in places) == pytest.approx(top, abs=0.1)
    assert max(y for _, y in places) == HEIGHT


def test_a_window_shows_what_is_in_it() -> None:
    """The line goes on to the next value outside; an empty window has no curve."""
    series = Series("loss", [Point(float(n), float(n)) for n in range(100)], True, False)
    drawn = curve(series, 10, 20)
    assert drawn is not None
    assert (drawn.points, drawn.last) == (11, 20.0)
    assert curve(series, 1000, 2000) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["success", "failed", "mine"]), st.integers(0, 10**9)),
        max_size=30,
    )
)
def test_bars_fit_and_show_whatever_happened(parts: list[dict[str, int]]) -> None:
    """A part that is not zero can be seen; the highest bar is as high as the plot."""
    chart = stacked_bars([("l", "t", numbers) for numbers in parts])
    for bar, numbers in zip(chart.bars, parts):
        seen = {part.status for part in bar.segments}
        wanted = {"other" if s == "mine" else s for s, number in numbers.items() if number}
        assert seen == wanted
        assert all(part.height > 0 for part in bar.segments)
        assert bar.x + bar.width <= 100.01
        assert not bar.segments or min(part.y for part in bar.segments) > -PLOT / 10
