"""Query facts for alert rules: runs, open runs, usage and raised alerts. It only reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional

from telemetry_core.event import RUN_ALERT


class RunFact(NamedTuple):
    """A run, as far as alert rules look at it. Times are canonical UTC."""

    run_id: str
    agent_name: Optional[str]
    job_type: Optional[str]
    status: Optional[str]
    start_time: Optional[str]
    end_time: Optional[str]
    duration_ms: Any
    error: Optional[str]
    last_event_time: str
    is_gone: int
    """1 if it is running by its record only: its process has ended."""
    last_span: Optional[str]
    """Of a running run, the span that it opened last."""


class SpendFact(NamedTuple):
    """What one run spent with one model on one UTC day."""

    run_id: str
    agent_name: Optional[str]
    job_type: Optional[str]
    day: str
    model: Optional[str]
    cost_usd: float
    tokens: float


class RaisedAlert(NamedTuple):
    """An alert that an agent raised by `run.alert`."""

    event_id: str
    time: str
    run_id: str
    agent_name: Optional[str]
    job_type: Optional[str]
    payload_json: Optional[str]


_FACTS = "run_id, agent_name, job_type, status, start_time, end_time, duration_ms"
_ERROR = "substr(error_summary, 1, 500)"
_GONE = (
    "EXISTS (SELECT 1 FROM gone_processes AS dead WHERE dead.source = runs.source"
    " AND dead.process_start = ifnull(runs.process_start, '')"
    " AND dead.noted_at >= runs.last_event_time)"
)
_LAST_SPAN = (
    "(SELECT name FROM run_spans AS spans WHERE spans.run_id = runs.run_id"
    " AND spans.end_time IS NULL ORDER BY start_time DESC, span_id LIMIT 1)"
)
_LAST_FAILED_SPAN = (
    "(SELECT name FROM run_spans AS spans WHERE spans.run_id = runs.run_id"
    " AND spans.status = 'error' ORDER BY end_time DESC, span_id LIMIT 1)"
)


def finished_runs(
    connection: sqlite3.Connection, since: str, statuses: Sequence[str] = ()
) -> Iterator[RunFact]:
    """Yield the runs that began since a time and have ended, by their end.

    With `statuses`, only those that ended so.
    """
    wanted = f"status IN ({', '.join('?' * len(statuses))})" if statuses else "status <> 'running'"
    rows = connection.execute(
        f"SELECT {_FACTS}, {_ERROR}, last_event_time, 0, NULL FROM agent_runs"
        f" WHERE start_time >= ? AND end_time IS NOT NULL AND {wanted} ORDER BY end_time, run_id",
        (since, *statuses),
    )
    return (RunFact(*row) for row in rows)


def running_runs(connection: sqlite3.Connection) -> Iterator[RunFact]:
    """Yield the runs that have not ended."""
    rows = connection.execute(
        f"SELECT {_FACTS}, {_ERROR}, last_event_time, {_GONE}, {_LAST_SPAN}"
        " FROM agent_runs AS runs WHERE status = 'running' ORDER BY run_id"
    )
    return (RunFact(*row) for row in rows)


def last_failed_span(connection: sqlite3.Connection, run_id: str) -> Optional[str]:
    """Return the name of the span of a run that failed last."""
    sql = f"SELECT {_LAST_FAILED_SPAN} FROM agent_runs AS runs WHERE run_id = ?"
    row = connection.execute(sql, (run_id,)).fetchone()
    return None if row is None or row[0] is None else str(row[0])


def spending(connection: sqlite3.Connection, since: str) -> Iterator[SpendFact]:
    """Yield what was spent since the beginning of a day, by run, day and model."""
    rows = connection.execute(
        "SELECT spans.run_id, agent_name, job_type, substr(spans.start_time, 1, 10) AS day, model,"
        " total(coalesce(cost_reported_usd, cost_estimated_usd)),"
        " total(input_tokens) + total(cache_read_tokens) + total(cache_write_tokens)"
        " + total(output_tokens)"
        " FROM run_spans AS spans LEFT JOIN agent_runs AS runs ON runs.run_id = spans.run_id"
        " WHERE counted = 1 AND spans.start_time >= ? GROUP BY spans.run_id, day, model",
        (since,),
    )
    return (SpendFact(*row) for row in rows)


def last_events(connection: sqlite3.Connection) -> Iterator[tuple[str, str, str]]:
    """Yield agent, job and the time of the last event of their runs."""
    yield from connection.execute(
        "SELECT agent_name, job_type, max(last_event_time) FROM agent_runs GROUP BY 1, 2"
    )


def raised_alerts(connection: sqlite3.Connection, since: str) -> Iterator[RaisedAlert]:
    """Yield the alerts that agents raised since a time."""
    rows = connection.execute(
        "SELECT event_id, raised.timestamp, events.run_id, agent_name, job_type, payload_json"
        " FROM events_by_type AS raised INDEXED BY raised_alerts"
        " CROSS JOIN run_events AS events USING (run_id, event_id)"
        " LEFT JOIN agent_runs AS runs ON runs.run_id = events.run_id"
        f" WHERE raised.type = '{RUN_ALERT}' AND raised.timestamp >= ?"
        " ORDER BY raised.timestamp, event_id",
        (since,),
    )
    return (RaisedAlert(*row) for row in rows)


def start_times(
    connection: sqlite3.Connection, since: str, limit: int
) -> dict[tuple[str, str], list[str]]:
    """Return when the latest top-level runs of each agent and job began, by agent and job."""
    rows = connection.execute(
        "SELECT agent_name, job_type, start_time FROM (SELECT *, row_number() OVER"
        " (PARTITION BY agent_name, job_type ORDER BY start_time DESC) AS place FROM agent_runs"
        " WHERE start_time >= ? AND parent_run_id IS NULL AND agent_name IS NOT NULL)"
        " WHERE place <= ? ORDER BY 1, 2, 3",
        (since, limit),
    )
    found: dict[tuple[str, str], list[str]] = {}
    for agent, job, time in rows:
        found.setdefault((str(agent), str(job)), []).append(time)
    return found
