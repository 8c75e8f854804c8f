"""Query what model calls used and cost, by run, agent, model or day."""

from __future__ import annotations

import sqlite3
from typing import Any, Optional

from indexer.store.schema.spans import USAGE_SUMS

GROUPINGS = {
    "run": ("run_spans.run_id, runs.agent_name", "run_spans.run_id"),
    "agent": ("runs.agent_name", "runs.agent_name"),
    "model": ("run_spans.provider, run_spans.model", "run_spans.provider, run_spans.model"),
    "day": ("substr(run_spans.start_time, 1, 10) AS day", "day"),
}
"""By what usage is summed: the columns that name a group, and how it is grouped."""


def usage_by(
    connection: sqlite3.Connection, by: str, since: Optional[str] = None
) -> list[dict[str, Any]]:
    """Return usage summed by run, agent, model or day, since a time; what cost most comes first.

    Days come in their order.
    """
    names, grouping = GROUPINGS[by]
    order = "day" if by == "day" else "total(cost_estimated_usd) DESC, calls DESC, 1"
    rows = connection.execute(
        f"SELECT {names}, count(DISTINCT run_spans.run_id) AS runs, {USAGE_SUMS}"
        " FROM run_spans LEFT JOIN agent_runs AS runs ON runs.run_id = run_spans.run_id"
        f" WHERE counted = 1 AND {_since(since)} GROUP BY {grouping} ORDER BY {order}",
        {"since": since},
    )
    return _dicts(rows)


def usage_total(connection: sqlite3.Connection, since: Optional[str] = None) -> dict[str, Any]:
    """Return usage summed over all calls since a time."""
    rows = connection.execute(
        f"SELECT count(DISTINCT run_id) AS runs, {USAGE_SUMS} FROM run_spans"
        f" WHERE counted = 1 AND {_since(since)}",
        {"since": since},
    )
    return _dicts(rows)[0]


def usage_of_run(connection: sqlite3.Connection, run_id: str) -> Optional[dict[str, Any]]:
    """Return the row of `run_usage` of a run; None for a run without usage."""
    found = _dicts(connection.execute("SELECT * FROM run_usage WHERE run_id = ?", (run_id,)))
    return found[0] if found else None


def _since(since: Optional[str]) -> str:
    return "true" if since is None else "run_spans.start_time >= :since"


def _dicts(rows: sqlite3.Cursor) -> list[dict[str, Any]]:
    names = [column[0] for column in rows.description]
    return [dict(zip(names, row)) for row in rows]
