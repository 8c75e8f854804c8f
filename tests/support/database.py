"""Indexes a log and reads the view back, table by table."""

from __future__ import annotations

import sqlite3
import weakref
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from indexer.database.freshness import index_once
from indexer.ingest.ingest import Ingest, PassResult
from indexer.store.connection import open_writer
from indexer.store.schema.check import create_schema
from indexer.store.schema.columns import SETTLED_COLUMNS, SPAN_COLUMNS
from indexer.store.schema.script import TABLES
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from telemetry_core.event import Event
from telemetry_core.line import encode

Table = list[tuple[Any, ...]]
# What a span cost is estimated by price data, and is no function of the log.
_COLUMNS = {"run_spans": ", ".join((*SPAN_COLUMNS, *SETTLED_COLUMNS))}


def tables(database: Path, names: tuple[str, ...] = tuple(TABLES)) -> dict[str, Table]:
    """Every row of every table that is a function of the log, in order."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return {
            name: connection.execute(
                f"SELECT {_COLUMNS.get(name, '*')} FROM {name} ORDER BY 1, 2"
            ).fetchall()
            for name in names
        }


@lru_cache(maxsize=1)
def _template() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    create_schema(connection)
    return connection


def empty_database() -> sqlite3.Connection:
    """A view of nothing, in memory; copying one is forty times as fast as making one."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    _template().backup(connection)
    return connection


def rows(config: TelemetryConfig, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """What a query gives once the view has all of the log."""
    index_once(Base(config))
    with closing(sqlite3.connect(f"file:{config.database_path}?mode=ro", uri=True)) as connection:
        return connection.execute(sql, parameters).fetchall()


def count_runs(config: TelemetryConfig) -> int:
    """How many runs a reader sees now, who indexes nothing; none while there is no view."""
    try:
        with closing(sqlite3.connect(f"file:{config.database_path}?mode=ro", uri=True)) as reader:
            return int(reader.execute("SELECT count(*) FROM agent_runs").fetchone()[0])
    except sqlite3.DatabaseError:
        return 0


def indexed_from_scratch(config: TelemetryConfig, database: Path) -> dict[str, Table]:
    """The tables that the log gives in a new database, made by one pass."""
    with closing(open_writer(database)) as connection:
        create_schema(connection)
        Ingest(connection, config.ndjson_dir).run_pass()
    return tables(database)


class Passes:
    """One database that passes are made into, without leases or rebuilds around them."""

    def __init__(self, log_directory: Path, database: Path) -> None:
        self.database = database
        self.connection = open_writer(database)
        weakref.finalize(self, self.connection.close)
        create_schema(self.connection)
        self.ingest = Ingest(self.connection, log_directory)

    def run(self) -> PassResult:
        return self.ingest.run_pass()

    def all(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def run_row(self, run_id: str) -> dict[str, Any]:
        cursor = self.connection.execute("SELECT * FROM agent_runs WHERE run_id = ?", (run_id,))
        row = cursor.fetchone()
        assert row is not None, f"no row for {run_id}"
        return dict(zip((column[0] for column in cursor.description), row))

    def unaccounted(self) -> int:
        """Bytes before the cursors that are neither indexed nor duplicate nor quarantined."""
        (difference,) = self.connection.execute(
            "SELECT ifnull(sum(offset - indexed_bytes - duplicate_bytes - quarantined_bytes), 0)"
            " FROM log_files"
        ).fetchone()
        return int(difference)


def event(number: int, kind: str = "run.event", run_id: str = "run", **data: Any) -> Event:
    """An event that differs from every other by its number, a microsecond apart."""
    time = f"2026-01-01T00:{number // 60_000_000 % 60:02d}:{number // 1_000_000 % 60:02d}"
    return Event(
        f"id-{number:08d}", "host/1", kind, run_id, f"{time}.{number % 1_000_000:06d}Z", data
    )


def lines_of(events: list[Event]) -> bytes:
    """The events as they are in the log."""
    return b"".join(encode(one) for one in events)


def legacy_line(**record: Any) -> bytes:
    """A line of the earlier product."""
    return orjson.dumps(record) + b"\n"
