"""SQL views: no value of one run takes a row from the others, and run_tree has every run."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from indexer.store.runs import save_runs
from indexer.store.schema.columns import RUN_COLUMNS
from indexer.store.schema.script import VIEWS
from tests.support.database import empty_database

_HOSTILE: list[Any] = [
    2**62,
    2**63 - 1,
    -(2**63),
    1e308,
    -1e308,
    float("inf"),
    "12.5",
    "words",
    "",
    None,
]


def _row(run_id: str, **fields: Any) -> dict[str, Any]:
    return {
        **dict.fromkeys(RUN_COLUMNS),
        "run_id": run_id,
        "agent_name": "agent",
        "start_time": "2026-01-01T00:00:00.000000Z",
        "last_event_time": "2026-01-01T00:00:00.000000Z",
        "status": "success",
        "event_count": 1,
        **fields,
    }


def _ask(sql: str, *rows: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What a query gives where these are the runs."""
    with closing(empty_database()) as connection:
        save_runs(connection, rows)
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize("view", sorted(VIEWS))
@pytest.mark.parametrize("hostile", _HOSTILE, ids=repr)
def test_no_value_breaks_a_view(view: str, hostile: Any) -> None:
    """Whatever one run has in its columns, other days and agents are there."""
    numbers = ("items_succeeded", "items_failed", "items_discovered", "duration_ms")
    bad = [
        _row(f"bad-{number}", **dict.fromkeys(numbers, hostile), start_time=start)
        for number, start in enumerate((hostile, "2026-01-01T00:00:00.000000Z") * 2)
    ]
    good = _row("good", agent_name="other", start_time="2026-01-02T00:00:00.000000Z")
    found = _ask(f"SELECT * FROM {view}", *bad, good)
    if view == "runs_by_day":
        assert "2026-01-02" in [row[0] for row in found]
    if view == "runs_by_agent":
        assert "other" in [row[0] for row in found]
    if view == "run_tree":
        assert len(found) == 5


def test_percentiles_are_of_numbers_only() -> None:
    """A text sorts after every number, and would be the p95."""
    rows = _row("a", duration_ms=10), _row("b", duration_ms="words")
    assert _ask("SELECT p50_duration_ms, p95_duration_ms FROM runs_by_agent", *rows) == [(10, 10)]


def _tree(*parents: tuple[str, Any]) -> dict[str, tuple[str, int]]:
    rows = [
        _row(run, parent_run_id=parent, start_time=f"2026-01-01T00:00:{number:02d}.000000Z")
        for number, (run, parent) in enumerate(parents)
    ]
    found = _ask("SELECT run_id, root_run_id, depth FROM run_tree", *rows)
    assert len(found) == len(parents), "every run once"
    return {run: (root, depth) for run, root, depth in found}


def test_a_run_that_is_its_own_parent_is_a_root() -> None:
    """As when a script with a fixed run id starts itself again."""
    assert _tree(("a", "a"), ("b", "a")) == {"a": ("a", 0), "b": ("a", 1)}


def test_runs_in_a_circle_hang_below_the_earliest() -> None:
    """With everything that hangs below any of them."""
    found = _tree(("late", None), ("b", "a"), ("a", "c"), ("c", "b"), ("leaf", "a"))
    assert found == {
        "late": ("late", 0),
        "b": ("b", 0),
        "c": ("b", 1),
        "a": ("b", 2),
        "leaf": ("b", 3),
    }


def test_a_deep_chain_is_shown_whole() -> None:
    """Deeper than a hundred levels only the depth is capped, and the path stays bounded."""
    rows = [
        _row(f"r{number:03d}", parent_run_id=f"r{number - 1:03d}" if number else None)
        for number in range(300)
    ]
    found = _ask("SELECT depth, length(path) FROM run_tree ORDER BY run_id", *rows)
    assert [depth for depth, _ in found] == [min(number, 100) for number in range(300)]
    assert max(length for _, length in found) < 5_000
