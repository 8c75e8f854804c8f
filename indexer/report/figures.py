"""Gather the figures of a report.

It only reads, and knows nothing about how the figures are shown.
"""

from __future__ import annotations

import sqlite3
from dataclasses import fields, replace
from typing import Any, Optional, TypeVar

from indexer.report.model import (
    OTHER,
    ErrorGroup,
    FailingJob,
    Figures,
    OtherAgents,
    PeriodTotals,
    RunLine,
    StaleLine,
)
from indexer.report.period import Period
from indexer.report.work import work_tables
from indexer.store.run_queries import STALE, RunFilter, count_all
from indexer.store.spans.open_spans import last_spans
from indexer.store.totals import AgentCounts, Totals, totals
from telemetry_core.status import STATUSES

AGENTS_SHOWN = 20
_ROWS_SHOWN = 10
_STALE_SHOWN = 20
_PARTS_SHOWN = 200
_HAS_FAILED = "status IN ('failed', 'timeout')"

Row = TypeVar("Row")


def gather(connection: sqlite3.Connection, period: Period, chosen: RunFilter) -> Figures:
    """Return the figures of the chosen runs that started in a period, from one snapshot.

    The row factory of the connection has to be sqlite3.Row.
    """
    connection.execute("BEGIN")
    try:
        return _gather(connection, period, chosen)
    finally:
        connection.execute("COMMIT")


def _gather(connection: sqlite3.Connection, period: Period, chosen: RunFilter) -> Figures:
    chosen = replace(chosen, since=period.since, until=period.until)
    earlier = period.before()
    before = replace(chosen, since=earlier.since, until=earlier.until)
    found = totals(connection, chosen)
    stale = _Runs(connection, RunFilter(status=STALE))
    runs = _Runs(connection, chosen)
    lines = stale.stale()
    died_in = last_spans(connection, (line.run_id for line in lines))
    return Figures(
        period=period,
        is_of_roots=chosen.is_root,
        nested_left_out=_nested(connection, chosen),
        totals=_period_totals(found),
        before=_period_totals(totals(connection, before)),
        parts=_parts(period, runs),
        agents=found.by_agent[:AGENTS_SHOWN],
        others=_together(found.by_agent[AGENTS_SHOWN:]),
        slowest=runs.slowest(),
        failing=runs.failing(),
        errors=runs.errors(),
        stale=lines,
        stale_count=stale.count(),
        work=work_tables(connection, chosen),
        last_words={run_id: span.sentence(is_dead=True) for run_id, span in died_in.items()},
    )


class _Runs:
    """Queries over the runs that a filter means."""

    def __init__(self, connection: sqlite3.Connection, chosen: RunFilter) -> None:
        where, self._values = chosen.where()
        self._connection = connection
        self._with = (
            "WITH stale AS (SELECT run_id FROM stale_runs), chosen AS (SELECT run_id, agent_name,"
            f" job_type, CASE WHEN run_id IN stale THEN '{STALE}' ELSE status END AS status,"
            " start_time, duration_ms, error_summary, last_event_time"
            f" FROM agent_runs WHERE {where}) "
        )

    def rows(self, query: str) -> list[sqlite3.Row]:
        return self._connection.execute(self._with + query, self._values).fetchall()

    def count(self) -> int:
        return int(self.rows("SELECT count(*) FROM chosen")[0][0])

    def slowest(self) -> list[RunLine]:
        rows = self.rows(
            f"SELECT {_names(RunLine)} FROM chosen"
            " WHERE typeof(duration_ms) IN ('integer', 'real')"
            f" ORDER BY duration_ms DESC, run_id LIMIT {_ROWS_SHOWN}"
        )
        return [RunLine(**dict(row)) for row in rows]

    def failing(self) -> list[FailingJob]:
        # Bare columns are those of the row that has the maximum: SQLite documents it.
        rows = self.rows(
            "SELECT agent_name, job_type, count(*) AS runs,"
            f" sum({_HAS_FAILED}) AS failed, error_summary, run_id,"
            f" max(CASE WHEN {_HAS_FAILED} THEN start_time END) AS last_failure"
            f" FROM chosen GROUP BY agent_name, job_type HAVING sum({_HAS_FAILED}) > 0"
            f" ORDER BY failed DESC, runs, agent_name, job_type LIMIT {_ROWS_SHOWN}"
        )
        return [FailingJob(**dict(row)) for row in rows]

    def errors(self) -> list[ErrorGroup]:
        rows = self.rows(
            "SELECT run_id, agent_name, job_type, status, max(start_time) AS start_time,"
            " duration_ms, error_summary, count(*) AS count,"
            " count(DISTINCT ifnull(agent_name, '')) AS agents"
            f" FROM chosen WHERE {_HAS_FAILED} GROUP BY error_summary, status"
            f" ORDER BY start_time DESC, run_id DESC LIMIT {_ROWS_SHOWN}"
        )
        return [ErrorGroup(**dict(row)) for row in rows]

    def stale(self) -> list[StaleLine]:
        rows = self.rows(
            f"SELECT {_names(StaleLine)} FROM stale_runs"
            f" ORDER BY last_event_time DESC, run_id LIMIT {_STALE_SHOWN}"
        )
        return [StaleLine(**dict(row)) for row in rows]


def _names(kind: Any) -> str:
    return ", ".join(field.name for field in fields(kind))


def _nested(connection: sqlite3.Connection, chosen: RunFilter) -> int:
    if not chosen.is_root:
        return 0
    return count_all(connection, replace(chosen, is_root=False)) - count_all(connection, chosen)


def _period_totals(found: Totals) -> PeriodTotals:
    return PeriodTotals(**vars(found.total), agents=len(found.by_agent), events=found.events)


def _parts(period: Period, runs: _Runs) -> dict[str, dict[str, int]]:
    parts: dict[str, dict[str, int]] = {key: {} for key in period.parts()}
    counted = runs.rows(
        "SELECT substr(ifnull(strftime('%Y-%m-%d %H', start_time, 'localtime'), start_time),"
        f" 1, {period.key_length}) AS part, status, count(*) AS runs FROM chosen GROUP BY 1, 2"
    )
    for row in counted:
        statuses = parts.setdefault(row["part"], {})
        status = row["status"] if row["status"] in (*STATUSES, STALE) else OTHER
        statuses[status] = statuses.get(status, 0) + row["runs"]
    if len(parts) > _PARTS_SHOWN:
        # Of the centuries that a wrong clock makes, the years in which anything ran.
        return {key: statuses for key, statuses in parts.items() if statuses}
    return parts


def _together(agents: list[AgentCounts]) -> Optional[OtherAgents]:
    if not agents:
        return None
    outcomes = ("succeeded", "partial", "failed", "cancelled", "running", "stale", "other")
    counts = {name: sum(getattr(agent, name) for agent in agents) for name in outcomes}
    runs = sum(counts.values())
    ended = runs - counts["running"]
    return OtherAgents(
        runs=runs,
        **counts,
        agents=len(agents),
        success_rate=round(counts["succeeded"] / ended, 4) if ended else None,
        last_run=max((agent.last_run or "" for agent in agents), default=""),
    )
