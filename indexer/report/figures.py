"""The figures: what the view says of a period, as plain data.

Called by `telemetry report`. It only reads, and knows nothing of how the figures are shown.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

from indexer.report.period import Period
from indexer.store.schema.views import by_agent_sql
from telemetry_core.status import STATUSES

OTHER = "other"
"""What a status of somebody's own counts as, in pictures."""

AGENTS_SHOWN = 20
_ROWS_SHOWN = 10
_STALE_SHOWN = 20
_PARTS_SHOWN = 200

_CHOSEN = "WITH chosen AS (SELECT * FROM agent_runs WHERE start_time >= ? AND start_time < ?)"
_EVERYBODY = (
    "WITH chosen AS (SELECT NULL AS agent_name, run_id, status, duration_ms, start_time"
    " FROM agent_runs WHERE start_time >= ? AND start_time < ?)"
)
_HAS_FAILED = "status IN ('failed', 'timeout')"
_RUN = "run_id, agent_name, job_type, status, start_time, duration_ms, error_summary"

Figure = dict[str, Any]


@dataclass(frozen=True)
class Figures:
    """All that a report says."""

    period: Period
    totals: Figure
    before: Figure
    """The totals of the period before, of the same length."""
    parts: dict[str, dict[str, int]]
    """Runs by status, for each part of the period."""
    agents: list[Figure]
    """The agents with the most runs; the columns of `runs_by_agent`."""
    others: Optional[Figure]
    """The agents that are not among these, all in one: `agents` says how many."""
    slowest: list[Figure]
    failing: list[Figure]
    """Agents and their jobs, by how many runs failed, each with its latest error."""
    errors: list[Figure]
    stale: list[Figure]
    """Runs that are stale now, whenever they began."""
    stale_count: int


def gather(connection: sqlite3.Connection, period: Period) -> Figures:
    """Ask the view for everything, in one state of it."""
    ask = _Asker(connection, period)
    connection.execute("BEGIN")
    try:
        agents = ask.rows(
            f"SELECT * FROM ({by_agent_sql('chosen')}) ORDER BY runs DESC, agent_name"
        )
        (stale_count,) = connection.execute("SELECT count(*) FROM stale_runs").fetchone()
        return Figures(
            period=period,
            totals=ask.totals(period),
            before=ask.totals(period.before()),
            parts=_parts(period, ask),
            agents=agents[:AGENTS_SHOWN],
            others=_together(agents[AGENTS_SHOWN:]),
            slowest=ask.slowest(),
            failing=ask.failing(),
            errors=ask.errors(),
            stale=ask.stale(),
            stale_count=stale_count,
        )
    finally:
        connection.execute("COMMIT")


class _Asker:
    """Asks about the runs that started in a period."""

    def __init__(self, connection: sqlite3.Connection, period: Period) -> None:
        self._connection = connection
        self._period = period

    def rows(self, query: str) -> list[Figure]:
        """Return what a query on `chosen` gives."""
        rows = self._connection.execute(f"{_CHOSEN} {query}", self._period)
        return [dict(row) for row in rows.fetchall()]

    def totals(self, period: Period) -> Figure:
        """Return what all runs of a period come to; rates and durations may be null."""
        query = f"{_EVERYBODY} SELECT * FROM ({by_agent_sql('chosen')})"
        row = self._connection.execute(query, period).fetchone()
        counted = self._connection.execute(
            f"{_CHOSEN} SELECT count(DISTINCT ifnull(agent_name, '')) AS agents,"
            " ifnull(sum(event_count), 0) AS events FROM chosen",
            period,
        ).fetchone()
        nothing = {
            "runs": 0,
            "succeeded": 0,
            "failed": 0,
            "running": 0,
            "success_rate": None,
            "p50_duration_ms": None,
            "p95_duration_ms": None,
        }
        found = {name: row[name] for name in nothing} if row else nothing
        return {**found, **dict(counted)}

    def slowest(self) -> list[Figure]:
        return self.rows(
            f"SELECT {_RUN} FROM chosen WHERE typeof(duration_ms) IN ('integer', 'real')"
            f" ORDER BY duration_ms DESC, run_id LIMIT {_ROWS_SHOWN}"
        )

    def failing(self) -> list[Figure]:
        # The error is that of the row which has the maximum: SQLite says so.
        return self.rows(
            "SELECT agent_name, job_type, count(*) AS runs,"
            f" sum({_HAS_FAILED}) AS failed, error_summary,"
            f" max(CASE WHEN {_HAS_FAILED} THEN start_time END) AS last_failure"
            f" FROM chosen GROUP BY agent_name, job_type HAVING sum({_HAS_FAILED}) > 0"
            f" ORDER BY failed DESC, runs, agent_name, job_type LIMIT {_ROWS_SHOWN}"
        )

    def errors(self) -> list[Figure]:
        return self.rows(
            f"SELECT {_RUN} FROM chosen WHERE {_HAS_FAILED}"
            f" ORDER BY start_time DESC, run_id DESC LIMIT {_ROWS_SHOWN}"
        )

    def stale(self) -> list[Figure]:
        return self.rows(
            f"SELECT * FROM stale_runs ORDER BY last_event_time DESC, run_id LIMIT {_STALE_SHOWN}"
        )


def _parts(period: Period, ask: _Asker) -> dict[str, dict[str, int]]:
    parts: dict[str, dict[str, int]] = {key: {} for key in period.parts()}
    counted = ask.rows(
        "SELECT substr(ifnull(strftime('%Y-%m-%d %H', start_time, 'localtime'), start_time),"
        f" 1, {period.key_length}) AS part, status, count(*) AS runs FROM chosen GROUP BY 1, 2"
    )
    for row in counted:
        statuses = parts.setdefault(row["part"], {})
        status = row["status"] if row["status"] in STATUSES else OTHER
        statuses[status] = statuses.get(status, 0) + row["runs"]
    if len(parts) > _PARTS_SHOWN:
        # Of centuries, as an odd clock makes them, the years in which anything ran.
        return {key: statuses for key, statuses in parts.items() if statuses}
    return parts


def _together(agents: Sequence[Figure]) -> Optional[Figure]:
    if not agents:
        return None
    names = ("runs", "succeeded", "failed", "running")
    summed: Figure = {name: sum(agent[name] or 0 for agent in agents) for name in names}
    ended = summed["runs"] - summed["running"]
    return {
        **summed,
        "agents": len(agents),
        "success_rate": summed["succeeded"] / ended if ended else None,
        "last_run": max((agent["last_run"] or "" for agent in agents), default=""),
    }
