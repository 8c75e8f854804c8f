"""Ways to get a log's events into SQLite that do not do all that ours does.

Started by the sections, each in a process of its own: `python -m tools.performance.loads WAY
SOURCE DATABASE`. They are floors: none has a cursor, a fold, or a way to tell a repeated event; one
writes rows of runs, which it is given.
"""

from __future__ import annotations

import csv
import marshal
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import Any, Optional

import orjson

from indexer.ingest.parse import decode_block
from indexer.log.decode import Ordinals
from indexer.log.lines import read_blocks
from indexer.store.events.codec import EventRow
from indexer.store.runs import rows_of_runs
from indexer.store.schema.columns import RUN_COLUMNS
from indexer.store.schema.script import CHILD_RUNS, RUNNING_RUNS, RUNS_BY_START
from indexer.store.schema.tables import AGENT_RUNS, EVENT_COLUMNS, RUN_EVENTS

_BATCH = 10_000
_AT_ONCE = 50


def rows_of(log: Path) -> Iterator[EventRow]:
    """Yield the rows that the events of a log file are stored as."""
    with log.open("rb") as stream:
        for block in read_blocks(stream, 0):
            yield from decode_block(block, 1, Ordinals(lambda: ()))[0]


def prepare(log: Path, prepared: Path) -> None:
    """Write the rows of a log as a table that SQLite's shell imports, in the log's order."""
    with prepared.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows_of(log))


def shell() -> Optional[str]:
    """Return where SQLite's own shell is installed here; None if it is not."""
    return shutil.which("sqlite3")


def import_(source: Path, database: Path) -> None:
    """Have SQLite's own shell import prepared rows."""
    _made(database).close()
    script = f".mode csv\nPRAGMA synchronous = NORMAL;\n.import {source} run_events\n"
    # Rows that are there already are refused, and reported one by one.
    subprocess.run(
        [str(shell()), database], input=script.encode(), check=False, stderr=subprocess.DEVNULL
    )


def prepare_runs(database: Path, prepared: Path) -> None:
    """Write the rows of runs of a finished database, for `import_with_runs`.

    Each as the columns that it fills and their values, in the order of the table: nothing is left
    to do but to insert them.
    """
    alike: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    with closing(sqlite3.connect(database)) as connection:
        for row in rows_of_runs(connection):
            given = {name: one for name, one in zip(RUN_COLUMNS, row) if one is not None}
            alike.setdefault(tuple(given), []).append(tuple(given.values()))
    prepared.write_bytes(marshal.dumps(list(alike.items())))


def import_with_runs(source: Path, database: Path) -> None:
    """Import rows of events, and then insert rows of runs, with all their indexes."""
    import_(source, database)
    with closing(_connected(database)) as connection:
        for statement in (AGENT_RUNS, RUNS_BY_START, RUNNING_RUNS, CHILD_RUNS):
            connection.execute(statement)
        connection.execute("BEGIN")
        for names, rows in marshal.loads(runs_beside(source).read_bytes()):  # noqa: S302  # our own
            values = f"({', '.join('?' * len(names))})"
            connection.executemany(
                f"INSERT INTO agent_runs ({', '.join(names)}) VALUES {values}", rows
            )
        connection.execute("COMMIT")


def runs_beside(source: Path) -> Path:
    """Return where the rows of runs are that belong to prepared rows of events."""
    return source.with_suffix(".runs")


def prototype(source: Path, database: Path) -> None:
    """Decode and insert, fifty rows to a statement: the quickest of what was tried in Python."""
    connection = _made(database)
    names, values = ", ".join(EVENT_COLUMNS), f"({', '.join('?' * len(EVENT_COLUMNS))})"
    one = f"INSERT OR IGNORE INTO run_events ({names}) VALUES {values}"
    many = one + f", {values}" * (_AT_ONCE - 1)
    with source.open("rb") as lines:
        rows = map(_bare_row, lines)
        while batch := list(islice(rows, _BATCH)):
            connection.execute("BEGIN")
            for start in range(0, len(batch), _AT_ONCE):
                some = batch[start : start + _AT_ONCE]
                if len(some) == _AT_ONCE:
                    connection.execute(many, list(chain.from_iterable(some)))
                else:
                    connection.executemany(one, some)
            connection.execute("COMMIT")
    connection.close()


def sqlite_utils(source: Path, database: Path) -> None:
    """Insert the decoded lines with the sqlite-utils library."""
    from sqlite_utils import Database

    table = Database(_made(database)).table("run_events")
    with source.open("rb") as lines:
        rows = (dict(zip(EVENT_COLUMNS, _bare_row(line))) for line in lines)
        table.insert_all(rows, ignore=True, batch_size=_BATCH)
    table.db.conn.commit()


def _bare_row(line: bytes) -> tuple[Any, ...]:
    event = orjson.loads(line)
    data = event["data"]
    return (
        event["subject"],
        event["id"],
        data.get("event_type") or event["type"],
        event["time"],
        event["type"],
        event["source"],
        orjson.dumps(data.get("payload")).decode(),
        None,
        1,
        0,
        0,
    )


def _made(database: Path) -> sqlite3.Connection:
    connection = _connected(database)
    connection.execute(RUN_EVENTS)
    return connection


def _connected(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


_WAYS = {
    "import": import_,
    "import-with-runs": import_with_runs,
    "prototype": prototype,
    "sqlite-utils": sqlite_utils,
}

if __name__ == "__main__":
    way, source_name, database_name = sys.argv[1:]
    _WAYS[way](Path(source_name), Path(database_name))
