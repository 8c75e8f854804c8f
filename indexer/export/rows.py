"""Read the rows to export: runs, events, spans or metrics, of the runs that a filter selects.

Used by `telemetry export`. It only reads, a chunk at a time, from one state of the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from indexer.store.run_queries import RunFilter
from indexer.store.schema.columns import (
    PRICED_COLUMNS,
    RUN_COLUMNS,
    SETTLED_COLUMNS,
    SPAN_COLUMNS,
)
from telemetry_core.run_fields import RUN_FIELDS

Row = tuple[Any, ...]

_ROWS_AT_ONCE = 1_000
_KINDS = {field.name: field.kind for field in RUN_FIELDS}
_INTEGERS = (
    "schema_version",
    "event_count",
    "revision",
    "api_posted",
    "api_posted_revision",
    "api_retry_count",
    "foreign_events",
)
_SPAN_COLUMNS = (*SPAN_COLUMNS, *SETTLED_COLUMNS, *PRICED_COLUMNS)
_NUMBERS = (
    "step",
    "value",
    "time_to_first_token_ms",
    "cost_reported_usd",
    "cost_estimated_usd",
    "is_owner",
    "counted",
    *(name for name in SPAN_COLUMNS if name.endswith("_tokens")),
)
_TIMES = ("last_event_time", "api_posted_at", "created_at", "updated_at", "timestamp")


class Column(NamedTuple):
    """One column of an export."""

    name: str
    kind: str
    """`text`, `integer`, `number`, `time` or `json`."""


class _Source(NamedTuple):
    columns: dict[str, str]
    """Names, and the SQL of each."""
    tables: str
    time: str
    order: str


_SOURCES = {
    "runs": _Source(
        {
            **{name: f"runs.{name}" for name in RUN_COLUMNS},
            "stale": "(SELECT reason FROM stale_runs WHERE stale_runs.run_id = runs.run_id)",
        },
        "agent_runs AS runs",
        "runs.start_time",
        "runs.start_time, runs.run_id",
    ),
    # By run, as they are stored: sorting millions of events by time would have to hold them all.
    "events": _Source(
        {
            "event_id": "events.event_id",
            "run_id": "events.run_id",
            "agent_name": "runs.agent_name",
            "event_type": "events.event_type",
            "timestamp": "events.timestamp",
            "type": "events.type",
            "source": "events.source",
            "payload_json": "events.payload_json",
            "extra_json": "events.extra_json",
        },
        "run_events AS events LEFT JOIN agent_runs AS runs ON runs.run_id = events.run_id",
        "events.timestamp",
        "events.run_id, events.timestamp, events.event_id",
    ),
    "spans": _Source(
        {
            "run_id": "spans.run_id",
            "agent_name": "runs.agent_name",
            **{name: f"spans.{name}" for name in _SPAN_COLUMNS[1:]},
        },
        "run_spans AS spans LEFT JOIN agent_runs AS runs ON runs.run_id = spans.run_id",
        "spans.start_time",
        "spans.run_id, spans.start_time, spans.span_id",
    ),
    "metrics": _Source(
        {
            "run_id": "metrics.run_id",
            "agent_name": "runs.agent_name",
            "name": "metrics.name",
            "step": "metrics.step",
            "value": "metrics.value",
            "timestamp": "metrics.time",
        },
        "run_metrics AS metrics LEFT JOIN agent_runs AS runs ON runs.run_id = metrics.run_id",
        "metrics.time",
        "metrics.run_id, metrics.name, metrics.time, metrics.event_id",
    ),
}
SUBJECTS = tuple(_SOURCES)
"""What there is to export."""


class Rows:
    """The rows of one export, to be read once."""

    def __init__(self, connection: sqlite3.Connection, subject: str, chosen: RunFilter) -> None:
        source = _SOURCES[subject]
        self._connection = connection
        # The period is of the rows themselves, the other conditions are of their runs.
        period = {f"{source.time} >= ?": chosen.since, f"{source.time} < ?": chosen.until}
        wanted = [condition for condition, value in period.items() if value is not None]
        self._values = [value for value in period.values() if value is not None]
        of_runs = replace(chosen, since=None, until=None)
        if of_runs != RunFilter():
            where, values = of_runs.where()
            wanted.append(f"runs.run_id IN (SELECT run_id FROM agent_runs WHERE {where})")
            self._values += values
        self._from = f" FROM {source.tables}" + (f" WHERE {' AND '.join(wanted)}" if wanted else "")
        self._select = f"SELECT {', '.join(source.columns.values())}"
        self._order = f" ORDER BY {source.order}"
        self.columns: Sequence[Column] = [Column(name, _kind(name)) for name in source.columns]

    def count(self) -> int:
        """Return how many rows there are; while chunks are read, of the same state."""
        counted = self._connection.execute(f"SELECT count(*){self._from}", self._values)
        return int(counted.fetchone()[0])

    def chunks(self) -> Iterator[list[Row]]:
        """Yield all rows, some at a time."""
        cursor = self._connection.cursor()
        cursor.row_factory = None
        cursor.execute(self._select + self._from + self._order, self._values)
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield rows


def _kind(name: str) -> str:
    if name in _INTEGERS:
        return "integer"
    if name in _TIMES:
        return "time"
    if name in _NUMBERS:
        return "number"
    kind = _KINDS.get(name, "json" if name.endswith("_json") else "text")
    # Agents write fractions into these as well: `duration_ms=(time.time() - began) * 1000`.
    return "number" if kind == "integer" else kind
