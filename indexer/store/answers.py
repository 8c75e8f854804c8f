"""Questions that agents ask about their own past, as bounded queries. It only reads."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

Row = dict[str, Any]

_STEPS = 10_000
_FAILED = "status IN ('failed', 'timeout')"


@contextmanager
def time_limit(connection: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """Interrupt queries that take longer in all: they raise sqlite3.OperationalError."""
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def failures(
    connection: sqlite3.Connection, since: str, agent: Optional[str], limit: int
) -> list[Row]:
    """Return failed runs grouped by agent, job and error, the most recent group first.

    Each with its latest run, the span that failed last in it, and the next run of the same job
    that succeeded: how it was fixed.
    """
    return _rows(
        connection,
        f"""WITH failed AS (
          SELECT agent_name, job_type, substr(error_summary, 1, 200) AS error, run_id, start_time,
            count(*) OVER same AS runs, min(start_time) OVER same AS first_time,
            row_number() OVER (PARTITION BY agent_name, job_type, substr(error_summary, 1, 200)
              ORDER BY start_time DESC) AS place
          FROM agent_runs WHERE {_FAILED} AND start_time >= :since
            AND (:agent IS NULL OR agent_name = :agent)
          WINDOW same AS (PARTITION BY agent_name, job_type, substr(error_summary, 1, 200))
        )
        SELECT agent_name, job_type, error, runs, first_time, start_time AS latest_time,
          run_id AS latest_run,
          (SELECT name || ifnull(': ' || error, '') FROM run_spans AS spans
            WHERE spans.run_id = failed.run_id AND spans.status = 'error'
            ORDER BY end_time DESC LIMIT 1) AS failed_span,
          (SELECT run_id FROM agent_runs AS later WHERE later.agent_name IS failed.agent_name
            AND later.job_type IS failed.job_type AND later.status = 'success'
            AND later.start_time > failed.start_time ORDER BY later.start_time LIMIT 1)
            AS next_success,
          (SELECT git_commit_hash FROM agent_runs AS later
            WHERE later.agent_name IS failed.agent_name AND later.job_type IS failed.job_type
            AND later.status = 'success' AND later.start_time > failed.start_time
            ORDER BY later.start_time LIMIT 1) AS next_success_commit
        FROM failed WHERE place = 1 ORDER BY start_time DESC LIMIT :limit""",
        {"since": since, "agent": agent, "limit": limit},
    )


def children(connection: sqlite3.Connection, run_id: str, limit: int) -> list[Row]:
    """Return the runs nested directly in a run, oldest first."""
    return _rows(
        connection,
        "SELECT run_id, agent_name, job_type, status, start_time, duration_ms,"
        " substr(error_summary, 1, 300) AS error FROM agent_runs"
        " WHERE parent_run_id = :run AND run_id <> :run ORDER BY start_time LIMIT :limit",
        {"run": run_id, "limit": limit},
    )


def spans(connection: sqlite3.Connection, run_id: str, limit: int) -> list[Row]:
    """Return the spans of a run in order of their start: first those that failed or are open."""
    return _rows(
        connection,
        "SELECT span_id, parent_span_id, name, kind, status, start_time, duration_ms, model,"
        " tool_name, substr(error, 1, 300) AS error, end_time IS NULL AS is_open"
        " FROM run_spans WHERE run_id = :run"
        " ORDER BY status IS NOT 'error' AND end_time IS NOT NULL, start_time LIMIT :limit",
        {"run": run_id, "limit": limit},
    )


def outcomes(connection: sqlite3.Connection, since: str, until: str) -> list[Row]:
    """Return runs, failures and durations by agent and job, of runs that began in a period."""
    return _rows(
        connection,
        f"SELECT agent_name, job_type, count(*) AS runs, sum({_FAILED}) AS failed,"
        " avg(CASE WHEN typeof(duration_ms) IN ('integer', 'real') THEN duration_ms END)"
        " AS mean_duration_ms FROM agent_runs WHERE start_time >= :since AND start_time < :until"
        " GROUP BY 1, 2 ORDER BY runs DESC LIMIT 200",
        {"since": since, "until": until},
    )


def schema_columns(connection: sqlite3.Connection) -> list[Row]:
    """Return every table and view with its columns."""
    return _rows(
        connection,
        "SELECT tables.name AS name, tables.type AS type, group_concat(columns.name, ', ')"
        " AS columns FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns"
        " WHERE tables.type IN ('table', 'view') GROUP BY 1, 2 ORDER BY 2, 1",
        {},
    )


def _rows(connection: sqlite3.Connection, sql: str, values: dict[str, Any]) -> list[Row]:
    cursor = connection.execute(sql, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor]
