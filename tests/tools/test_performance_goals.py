"""The table of goals: what it says of each figure, and when it is written."""

from __future__ import annotations

import pytest

from tools.performance import goals
from tools.performance.figure import Figure, Goal, Spread

SECTIONS = ("append", "peers", "processes", "indexing", "replay", "reading", "idle")


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page with the marks of the table, and words around them."""
    path = tmp_path / "performance.md"
    path.write_text("before\n<!-- goals: generated -->\nold\n<!-- end of goals -->\nafter\n")
    monkeypatch.setattr(goals, "_PAGE", path)
    return path


def _record(figures, sections=SECTIONS):
    empty = [{"name": name, "figures": []} for name in sections[1:]]
    return {"sections": [{"name": "append", "figures": [one.record() for one in figures]}, *empty]}


def test_a_goal_stands_beside_both_ways_of_recording(page):
    """A ratio where the goal is about one; what has no goal is left out."""
    fast = Figure("an event", "us", 2.0, 4.0, "d3", Spread(0.5, 0.4, 0.6), Goal(0.75))
    slow = Figure("an event, in Python alone", "us", 9.0, 4.0, "d3", Spread(2.25, 2.0, 3.0))
    worst = Figure("worst", "us", 300.0, 4.0, "d3", Spread(75.0, 1.0, 99.0), Goal(200, of="ours"))
    goals.write_goals(_record([fast, slow, worst]), "2026, one machine.")
    assert page.read_text().splitlines() == [
        "before",
        "<!-- goals: generated -->",
        "",
        "2026, one machine.",
        "",
        "| what | goal | with the extension | in Python alone | |",
        "|---|--:|--:|--:|---|",
        "| an event, to d3 | <= 0.75 | 0.50 | 2.25 | met |",
        "| worst, to d3 | <= 200 us | 300 us |  | **missed** |",
        "",
        "<!-- end of goals -->",
        "after",
    ]


def test_a_run_of_some_sections_leaves_the_table_as_it_is(page):
    """All of it is from one run, or it is not written."""
    before = page.read_text()
    goals.write_goals(_record([], SECTIONS[:-1]), "2026")
    assert page.read_text() == before
