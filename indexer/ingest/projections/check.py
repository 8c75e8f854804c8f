"""Check the projections: make their tables again from the stored events, and compare.

Called by `telemetry verify`. It reads the stored events and believes no row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import zip_longest

from indexer.ingest.foreign import WholeRun
from indexer.ingest.projections.projector import TYPES, Projector
from indexer.store.schema.columns import SETTLED_COLUMNS, SPAN_COLUMNS
from indexer.store.schema.spans import SPAN_INDEXES, SPAN_TABLES

_RUNS_AT_ONCE = 200
# The estimate of costs is of price data, not of the log.
_COLUMNS = {
    "run_spans": (*SPAN_COLUMNS, *SETTLED_COLUMNS),
    "span_calls": ("call", "claim", "run_id", "span_id"),
    "run_metrics": ("run_id", "name", "time", "event_id", "step", "value"),
}
_KEYS = {"run_spans": 2, "span_calls": 4, "run_metrics": 4}


def differences(connection: sqlite3.Connection, runs: Iterable[WholeRun]) -> Iterator[str]:
    """Yield in words where the stored tables are not what the events of all runs come to."""
    # A temporary file of SQLite's own: it may be larger than memory.
    with closing(sqlite3.connect("", isolation_level=None)) as expected:
        for statement in (*SPAN_TABLES.values(), *SPAN_INDEXES):
            expected.execute(statement)
        expected.execute("BEGIN")
        _fill(expected, runs)
        for table in SPAN_TABLES:
            yield from _compare(table, _rows(connection, table), _rows(expected, table))


def _fill(expected: sqlite3.Connection, runs: Iterable[WholeRun]) -> None:
    projector = Projector(expected)
    # All that was not fed has no rows.
    fed = (run for run in runs if any(event.type in TYPES for event in run.events))
    for number, run in enumerate(fed):
        projector.replace(run)
        if number % _RUNS_AT_ONCE == 0:
            projector.settle()
    projector.settle()


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    keys = ", ".join(str(number + 1) for number in range(_KEYS[table]))
    yield from connection.execute(
        f"SELECT {', '.join(_COLUMNS[table])} FROM {table} ORDER BY {keys}"
    )


def _compare(
    table: str, stored: Iterator[tuple[object, ...]], expected: Iterator[tuple[object, ...]]
) -> Iterator[str]:
    for found, wanted in zip_longest(stored, expected):
        if found == wanted:
            continue
        key = " ".join(str(one) for one in (wanted or found)[: _KEYS[table]])
        if found is None or wanted is None or found[: _KEYS[table]] != wanted[: _KEYS[table]]:
            yield f"{table}: the row {key} is {'missing' if wanted else 'not in the log'}"
            return  # What follows is only out of step.
        names = [n for n, a, b in zip(_COLUMNS[table], found, wanted) if a != b]
        yield f"{table}: the row {key} comes to another {', '.join(names)}"
