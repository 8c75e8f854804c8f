"""Answer what an agent may ask. Each tool opens the database read-only, brought up to date first.

Used by the server, which offers them under these names with these docstrings.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any, Optional

from indexer.database.freshness import fresh_database
from indexer.mcp.bounds import answer
from indexer.store import answers
from indexer.store.query import Query
from indexer.store.run_queries import RunFilter, find_run, select_runs
from indexer.store.search.query import events_with
from indexer.store.spans.usage import GROUPINGS, usage_by, usage_of_run, usage_total
from indexer.system.base import Base
from telemetry_core.duration import parse_duration
from telemetry_core.timestamp import format_time, parse_time

MAX_ROWS = 100
_SECONDS = 10.0
_RUN_FIELDS = (
    "run_id",
    "agent_name",
    "job_type",
    "status",
    "start_time",
    "end_time",
    "duration_ms",
    "error_summary",
    "parent_run_id",
)


class Tools:
    """The tools on one base directory."""

    def __init__(self, base: Base) -> None:
        self._base = base

    def list_runs(
        self,
        agent: Optional[str] = None,
        job: Optional[str] = None,
        status: Optional[str] = None,
        since: str = "7d",
        limit: int = 20,
    ) -> dict[str, Any]:
        """List runs, newest first.

        `status`: success, partial, failed, timeout, cancelled, running or stale. `since`: an age
        such as 90s, 30m, 2h, 7d, or an ISO time in UTC.
        """
        chosen = RunFilter(agent=agent, job=job, status=status, since=_since(since))
        with self._open() as connection:
            rows = select_runs(connection, chosen, _bounded(limit))
            return answer(runs=[{name: row[name] for name in _RUN_FIELDS} for row in rows])

    def show_run(self, run_id: str) -> dict[str, Any]:
        """Show one run: its fields, nested runs, spans (failed and open ones first) and usage.

        `run_id`: an id, the beginning or end of one, or `latest`.
        """
        with self._open() as connection:
            row = find_run(connection, run_id)
            found = row["run_id"]
            fields = {name: value for name, value in dict(row).items() if value is not None}
            return answer(
                run=fields,
                children=answers.children(connection, found, MAX_ROWS),
                spans=answers.spans(connection, found, MAX_ROWS),
                usage=usage_of_run(connection, found),
            )

    def search_events(
        self, text: str, since: str = "30d", run_id: Optional[str] = None, limit: int = 20
    ) -> dict[str, Any]:
        """Find the latest events whose type or payload contains a text, in any case."""
        with self._open() as connection:
            found = events_with(connection, text, _since(since), run_id, _bounded(limit))
            return answer(events=found)

    def what_failed(
        self, since: str = "7d", agent: Optional[str] = None, limit: int = 20
    ) -> dict[str, Any]:
        """Group failed runs by agent, job and error, with the latest example of each.

        `failed_span` is what failed last in that run; `next_success` is the next run of the same
        job that succeeded, with its commit: how it was fixed before. Null if it still fails.
        """
        with self._open() as connection:
            groups = answers.failures(connection, _since(since), agent, _bounded(limit))
            return answer(failures=groups)

    def stats(self, period: str = "7d") -> dict[str, Any]:
        """Count runs and failures by agent and job in a period up to now, and in the one before."""
        length, now = _length(period), datetime.now(timezone.utc)
        begin, before = format_time(now - length), format_time(now - 2 * length)
        with self._open() as connection:
            return answer(
                period=answers.outcomes(connection, begin, "9999"),
                period_before=answers.outcomes(connection, before, begin),
            )

    def usage(self, by: str = "model", since: str = "7d") -> dict[str, Any]:
        """Sum up tokens and costs of model calls by model, agent, day or run."""
        if by not in GROUPINGS:
            raise ValueError(f"by has to be one of {', '.join(GROUPINGS)}")
        with self._open() as connection:
            rows = usage_by(connection, by, _since(since))
            return answer(rows=rows[:MAX_ROWS], total=usage_total(connection, _since(since)))

    def sql(self, query: str, limit: int = 50) -> dict[str, Any]:
        """Run one SQLite query that reads. Call `schema` first for tables and columns."""
        with self._open(limited=False) as connection:
            connection.row_factory = None
            running = Query(connection, query, _SECONDS)
            rows = list(islice(running.rows(), _bounded(limit)))
            return answer(columns=running.columns, rows=rows)

    def schema(self) -> dict[str, Any]:
        """List tables and views with their columns, for `sql`."""
        with self._open() as connection:
            return answer(tables=answers.schema_columns(connection))

    @contextmanager
    def _open(self, limited: bool = True) -> Iterator[sqlite3.Connection]:
        with fresh_database(self._base) as fresh:
            fresh.connection.row_factory = sqlite3.Row
            if not limited:
                yield fresh.connection
                return
            with answers.time_limit(fresh.connection, _SECONDS):
                yield fresh.connection


NAMES = (
    "list_runs",
    "show_run",
    "search_events",
    "what_failed",
    "stats",
    "usage",
    "sql",
    "schema",
)
"""The tools that are offered."""


def _bounded(limit: int) -> int:
    return max(1, min(limit, MAX_ROWS))


def _length(period: str) -> timedelta:
    length = parse_duration(period)
    if length > timedelta(days=36_500):
        raise ValueError("the period has to be at most a hundred years")
    return length


def _since(text: str) -> str:
    try:
        return format_time(datetime.now(timezone.utc) - _length(text))
    except ValueError:
        return format_time(parse_time(text if "T" in text else f"{text}T00:00:00Z"))
