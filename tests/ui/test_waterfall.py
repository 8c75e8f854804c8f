"""Any steps become a tree of lines, each step once, whatever their parents say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("starlette", reason="the page needs the extra `ui`, and Python 3.10")

from indexer.ui.charts.waterfall import GROUP, ORPHAN, WHOLE, waterfall
from indexer.ui.queries.run.steps import Step


def _step(
    key: str, parent: str = "root", start: float = 0, end: Optional[float] = 1, **more: Any
) -> Step:
    values = {"kind": "step", "name": key, "state": "ok", **more}
    return Step(key, parent, "run", key, start=start, end=end, **values)


ROOT = _step("root", "", 0, 100, kind="run")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 30), st.integers(0, 5)), max_size=30))
def test_every_step_is_there_once_in_the_order_of_a_tree(parents: list[tuple[int, int]]) -> None:
    """Cycles, orphans and self-parents lose nothing, and no line is inside a later one."""
    steps = [ROOT]
    for number, (parent, start) in enumerate(parents):
        name = "root" if parent < 0 else f"s{parent}"
        steps.append(_step(f"s{number}", name, start, start + 1))
    lines = waterfall(steps, 10).lines
    keys = [line.step.key for line in lines if line.count == 1]
    assert sorted(keys) == sorted(step.key for step in steps)
    for number, line in enumerate(lines):
        assert line.parent < number
        assert line.depth == (lines[line.parent].depth + 1 if number else 0)
    assert lines[0].inside == len(lines) - 1


def test_ten_thousand_levels_are_no_recursion() -> None:
    """Depth costs no stack."""
    steps = [ROOT, *(_step(f"s{n}", f"s{n - 1}" if n else "root") for n in range(10_000))]
    lines = waterfall(steps, 1).lines
    assert lines[-1].depth == 10_000


def test_what_has_no_parent_says_so() -> None:
    """It hangs under the run."""
    lines = waterfall([ROOT, _step("lost", "nobody")], 1).lines
    assert (lines[1].parent, lines[1].note) == (0, ORPHAN)


def test_equal_siblings_are_one_line_until_it_is_unfolded() -> None:
    """Six and more; five are not, nor are those that failed or differ."""
    six = [_step(f"s{n}", start=n, end=n + 1, name="same") for n in range(GROUP)]
    folded = waterfall([ROOT, *six], 1)
    assert [line.count for line in folded.lines] == [1, GROUP, *[1] * GROUP]
    assert folded.visible() == [0, 1]
    assert "slowest 1 ms" in folded.lines[1].note
    assert [line.count for line in waterfall([ROOT, *six[1:]], 1).lines] == [1] * GROUP
    failed = [*six[:3], _step("bad", start=2.5, name="same", state="error"), *six[3:]]
    assert all(line.count == 1 for line in waterfall([ROOT, *failed], 1).lines)


def test_it_opens_at_the_first_innermost_error_else_what_is_open() -> None:
    """Neither an error that a child explains, nor one that a killed run survived."""
    steps = [
        ROOT,
        _step("a", state="error"),
        _step("b", "a", state="error"),
        _step("c", "root", 5, None, state="open"),
    ]
    assert waterfall(steps, 10).lines[waterfall(steps, 10).focus].step.key == "b"
    killed = [replace(ROOT, state="killed"), *steps[1:3], replace(steps[3], state="killed")]
    assert waterfall(killed, 10).lines[waterfall(killed, 10).focus].step.key == "c"
    calm = [ROOT, _step("a"), steps[3]]
    assert waterfall(calm, 10).lines[waterfall(calm, 10).focus].step.key == "c"


def test_a_long_run_is_folded_but_for_the_way_to_its_error() -> None:
    """Above five hundred lines three levels are open, and the focus is in sight."""
    names = ["root", *(f"s{number}" for number in range(WHOLE))]
    steps = [ROOT, *(_step(name, above) for above, name in zip(names, names[1:]))]
    steps.append(_step("bad", f"s{WHOLE - 1}", state="error"))
    chart = waterfall(steps, 1)
    assert chart.focus in chart.visible()
    steps[-1] = _step("good", f"s{WHOLE - 1}")
    assert len(waterfall(steps, 1).visible()) < 10


def test_what_is_open_reaches_to_now() -> None:
    """The axis ends with the last end, or now."""
    assert waterfall([ROOT], 50).end == 100
    assert waterfall([ROOT, _step("a", end=None, state="open")], 500).end == 500
