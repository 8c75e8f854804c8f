"""Put the rows of a database into a centre, under the keys that hosts ship them by."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from indexer.fleet.schema.tables import EVENTS, METRICS, RUNS, SPANS
from indexer.store.schema.columns import SPAN_COLUMNS
from indexer.store.schema.tables import EVENT_COLUMNS
from tests.support.clickhouse import Centre

_DAY = date(2026, 11, 22)
_NODE = "node"


def copy_database(path: Path, centre: Centre) -> None:
    """Insert all runs, events, spans and metrics."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        centre.client.insert(RUNS, [_run(dict(row)) for row in _all(database, "agent_runs")])
        centre.client.insert(EVENTS, [_event(dict(row)) for row in _all(database, "run_events")])
        calls: dict[tuple[str, str], list[sqlite3.Row]] = {}
        for row in _all(database, "span_calls"):
            calls.setdefault((row["run_id"], row["span_id"]), []).append(row)
        spans = [dict(row) for row in _all(database, "run_spans")]
        centre.client.insert(
            SPANS, [_span(one, calls.get((one["run_id"], one["span_id"]), [])) for one in spans]
        )
        centre.client.insert(METRICS, [_metric(row) for row in _all(database, "run_metrics")])


def _all(database: sqlite3.Connection, table: str) -> list[sqlite3.Row]:
    return database.execute(f"SELECT * FROM {table}").fetchall()


def _json(row: dict[str, Any]) -> str:
    return orjson.dumps({key: one for key, one in row.items() if one is not None}).decode()


def _run(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["run_id"], row["event_count"] << 16, _NODE, _DAY, _json(row))


def _event(row: dict[str, Any]) -> tuple[Any, ...]:
    run_id, event_id, *rest = (row[name] for name in EVENT_COLUMNS)
    return (run_id, event_id, "content", "content", *rest, _NODE, 1, _DAY)


def _span(row: dict[str, Any], claims: list[sqlite3.Row]) -> tuple[Any, ...]:
    key = (row["run_id"], row["span_id"])
    # Of a copy it is not known here, and does not matter: it never counts.
    leaf = int(row["counted"] or not row["is_owner"])
    claim = claims[0]["claim"] if claims else ""
    names = (*SPAN_COLUMNS, "cost_estimated_usd", "price_version")
    shipped = _json({name: row[name] for name in names})
    return (*key, 1, 0, _NODE, _DAY, leaf, claim, [one["call"] for one in claims], shipped)


def _metric(row: sqlite3.Row) -> tuple[Any, ...]:
    key = (row["run_id"], row["name"], row["time"], row["event_id"])
    return (*key, 1, 0, _NODE, _DAY, row["step"], row["value"])
