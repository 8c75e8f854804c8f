"""Pictures are well-formed, say what they show, and show what there is."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from indexer.report.charts import (
    STACKED,
    patterns,
    rate_bar,
    stacked_bars,
    swatch,
)
from indexer.report.markup import element
from indexer.report.text import rate as rate_in_words
from indexer.report.time_scale import TimeScale
from indexer.store.totals import RunCounts

HOSTILE = "<script>alert('x')</script>&\"\x1b\u202e"


def _bars(parts):
    svg = ET.fromstring(stacked_bars(parts, "Runs"))
    return svg, [list(group.iter("rect"))[1:] for group in svg.iter("g")]


def test_text_can_be_nothing_but_text():
    """Neither in an element nor in an attribute, and control characters become visible."""
    shown = ET.fromstring(element("p", HOSTILE, title=HOSTILE))
    assert len(shown) == 0
    assert shown.text == shown.get("title") == "<script>alert('x')</script>&\"\\x1b\\u202e"


def test_bars_are_as_high_as_their_numbers():
    """To scale, stacked without gaps, the failed ones at the top."""
    svg, bars = _bars({"2026-11-21": {"success": 60, "failed": 40}, "2026-11-22": {"success": 50}})
    heights = [[float(rect.get("height")) for rect in bar] for bar in bars]
    assert heights[0][0] == pytest.approx(1.2 * heights[1][0], abs=0.2)
    assert [rect.get("class") for rect in bars[0]] == ["fill-success", "fill-failed"]
    lower, upper = bars[0]
    end = float(upper.get("y")) + float(upper.get("height"))
    assert end == pytest.approx(float(lower.get("y")), abs=0.2)
    assert svg.find("title").text == "Runs"
    assert svg.find("desc").text.startswith("150 runs")
    titles = [title.text for title in svg.iter("title")]
    assert "Sat, Nov 21: 60 success, 40 failed" in titles


def test_one_failure_among_thousands_can_be_seen():
    """However high the bar is."""
    _, bars = _bars({"2026-11-21": {"success": 50_000, "failed": 1}})
    assert float(bars[0][1].get("height")) >= 2


@pytest.mark.parametrize("number", [0, 1, 7, 92, 200])
def test_any_number_of_parts_has_room(number):
    """Bars fill the width and no more; labels are few, and fewer on a narrow page."""
    svg, bars = _bars({f"{1000 + year}": {"success": year} for year in range(number)})
    rects = [rect for bar in bars for rect in bar]
    assert all(float(r.get("x")[:-1]) + float(r.get("width")[:-1]) <= 100 for r in rects)
    labels = [text.get("class") for text in svg.iter("text") if "label" in text.get("class")]
    assert len(labels) <= 16
    assert labels.count("label") <= 6
    assert bool(labels) == bool(number)


@pytest.mark.parametrize("highest", [1, 3, 4, 9, 10, 99, 1234, 10**7])
def test_lines_are_few_and_whole(highest):
    """Between two and six of them, the highest not below the highest bar."""
    svg, bars = _bars({"2026": {"success": highest}})
    values = [int(t.text.replace(",", "")) for t in svg.iter("text") if t.get("class") == "value"]
    assert 2 <= len(values) <= 6
    assert values[0] == 0
    assert values[-1] >= highest
    assert float(bars[0][0].get("y")) >= 0


def test_every_status_has_a_pattern_of_its_own():
    """So that none is known by its colour alone."""
    found = [ET.tostring(p) for p in ET.fromstring(patterns()).iter("pattern")]
    shapes = {text.split(b"<rect", 1)[1].split(b"/>", 1)[1] for text in found}
    assert len(found) == len(shapes) == len(STACKED)
    assert "fill-other" in swatch("never heard of")


def test_durations_of_any_size_have_a_place():
    """Between 0 and 100 percent, longer ones further right; what is no number is not drawn."""
    agents = [RunCounts(p50_duration_ms=0, p95_duration_ms=10**12), RunCounts()]
    scale = TimeScale.of(agents)
    places = [scale.place(value) for value in (0, 1, 1_000, 10**9, 10**12)]
    assert places == sorted(places)
    assert places[0] >= 0
    assert places[-1] <= 100
    ET.fromstring(scale.row(agents[0]))
    ET.fromstring(scale.header())
    assert scale.row(agents[1]) == ""
    assert TimeScale.of([]).place(5) >= 0


@pytest.mark.parametrize(
    ("rate", "words"),
    [(None, "\u2013"), (0, "0%"), (0.0001, "0.1%"), (0.5, "50%"), (0.9999, "99.9%"), (1, "100%")],
)
def test_a_rate_says_all_only_of_all(rate, words):
    """One failure in ten thousand is no 100%."""
    assert rate_in_words(rate) == words
    assert rate is None or f"{words} successful" in rate_bar(rate)
