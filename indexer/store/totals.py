"""Totals over all runs: by status, and by agent with their durations.

Called by the commands and by the health report. It only reads.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from indexer.store.schema.views import TOTALS_BY_AGENT


def totals(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return the number of runs and events, and the runs by status and by agent."""
    by_agent = _by_agent(connection)
    (events,) = connection.execute("SELECT sum(event_count) FROM agent_runs").fetchone()
    return {
        "runs": sum(agent["runs"] for agent in by_agent),
        "events": events or 0,
        "by_status": runs_by_status(connection),
        "by_agent": by_agent,
    }


def runs_by_status(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many runs there are of each status."""
    rows = connection.execute("SELECT status, count(*) FROM agent_runs GROUP BY status")
    return {"unknown" if status is None else status: number for status, number in rows}


def _by_agent(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return the rows of `runs_by_agent`, for which the view needs twice the time."""
    durations = _durations(connection)
    agents = []
    for row in connection.execute(f"{TOTALS_BY_AGENT} ORDER BY runs DESC, agent_name"):
        agent = dict(row)
        measured = durations.get(agent["agent_name"])
        if measured:
            agent["p50_duration_ms"] = _percentile(measured, 50)
            agent["p95_duration_ms"] = _percentile(measured, 95)
        agents.append(agent)
    return agents


def _durations(connection: sqlite3.Connection) -> dict[str, list[Any]]:
    """Return each agent's durations, the shortest first."""
    durations: dict[str, list[Any]] = {}
    for agent, duration_ms in connection.execute(
        "SELECT agent_name, duration_ms FROM agent_runs WHERE duration_ms IS NOT NULL"
        " ORDER BY agent_name, duration_ms"
    ):
        durations.setdefault(agent, []).append(duration_ms)
    return durations


def _percentile(ordered: list[Any], percent: int) -> Any:
    """Return the first value that so many per cent do not exceed."""
    return ordered[-(-len(ordered) * percent // 100) - 1]
