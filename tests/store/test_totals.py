"""Totals: what Python sums up is what the SQL view says, value for value."""

from __future__ import annotations

from contextlib import closing
from dataclasses import astuple, fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from indexer.store.run_queries import RunFilter
from indexer.store.runs import save_runs
from indexer.store.schema.columns import RUN_COLUMNS
from indexer.store.totals import AgentCounts, Totals, totals
from tests.support.database import empty_database

_DURATIONS = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 10),
    st.floats(allow_nan=False),
    st.sampled_from(["", "7", "12 s", 0.1 + 0.2, 1e16, 2**53 + 1]),
)
_RUNS = st.lists(
    st.tuples(
        st.sampled_from(["crawler", "", 'a "quoted", name', None]),
        st.sampled_from(["success", "failed", "timeout", "cancelled", "mine", None]),
        _DURATIONS,
    )
)
_NAMES = ", ".join(one.name for one in fields(AgentCounts))


def _rows(runs: list[tuple[Any, Any, Any]]) -> list[dict[str, Any]]:
    return [
        {
            **dict.fromkeys(RUN_COLUMNS),
            "run_id": f"run-{number}",
            "agent_name": agent,
            "status": status,
            "duration_ms": duration_ms,
            "start_time": f"2026-01-01T00:00:{number % 60:02d}.000000Z",
            "event_count": number,
        }
        for number, (agent, status, duration_ms) in enumerate(runs)
    ]


def _both(rows: list[dict[str, Any]]) -> tuple[Totals, list[tuple[Any, ...]]]:
    """Totals, and what the view says by agent."""
    with closing(empty_database()) as connection:
        save_runs(connection, rows)
        view = connection.execute(f"SELECT {_NAMES} FROM runs_by_agent").fetchall()
        return totals(connection, RunFilter()), view


@given(_RUNS)
def test_totals_by_agent_are_those_of_the_view(runs: list[tuple[Any, Any, Any]]) -> None:
    """Fractions, integers beyond a float's and texts among the durations included."""
    found, view = _both(_rows(runs))
    ours = [astuple(one) for one in found.by_agent]
    assert sorted(ours, key=repr) == sorted(view, key=repr)
    assert found.events == sum(range(len(runs)))


def test_percentiles_of_all_agents_are_of_all_their_runs() -> None:
    """Whole numbers and fractions of several agents, in one order."""
    durations = [("a", 5), ("b", 1.5), ("a", 2.25), ("b", 4), ("c", 3), ("c", "long")]
    found, _ = _both(_rows([(agent, "success", one) for agent, one in durations]))
    assert (found.total.runs, found.total.p50_duration_ms, found.total.p95_duration_ms) == (6, 3, 5)
