"""The tables `indexer_status`, `settings` and `gone_processes`: what the indexer itself knows.

They are no function of the log, so a rebuild carries them over.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Optional

from indexer.store.connection import transaction
from indexer.store.cursors import UNPLACED
from indexer.store.schema.script import INDEXER_TABLES
from indexer.store.sqlite_errors import is_damage

HEARTBEAT_SECONDS = 10.0
"""How often at most a daemon writes that it is at work; it writes nothing while nothing comes."""


class RunningProcess(NamedTuple):
    """A process that running runs say they belong to."""

    source: str
    start: str
    """As `telemetry_core.process` spells it; empty where the runs do not say."""
    last_event_time: str


def update_status(connection: sqlite3.Connection, **columns: Any) -> None:
    """Set columns of the one row of `indexer_status`."""
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns)
    connection.execute(
        f"INSERT INTO indexer_status (id, {names}) VALUES (1, {marks})"
        f" ON CONFLICT (id) DO UPDATE SET {changes}",
        tuple(columns.values()),
    )


def read_status(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return the row of `indexer_status`, empty if no indexer ever ran."""
    cursor = connection.execute("SELECT * FROM indexer_status WHERE id = 1")
    row = cursor.fetchone()
    return {} if row is None else dict(zip((column[0] for column in cursor.description), row))


def set_stale_after(connection: sqlite3.Connection, seconds: float) -> None:
    """Set after how long a silence a running run is stale, for the view `stale_runs`."""
    connection.execute(
        "INSERT INTO settings (name, value) VALUES ('stale_after', ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        " WHERE value IS NOT excluded.value",
        (seconds,),
    )


def stale_after(connection: sqlite3.Connection) -> Optional[float]:
    """Return after how many seconds of silence a running run is stale; None if nothing is set."""
    row = connection.execute("SELECT value FROM settings WHERE name = 'stale_after'").fetchone()
    return None if row is None else float(row[0])


def queued_for(connection: sqlite3.Connection) -> Optional[str]:
    """Return for which targets the outbox has everything due; None if that is not known."""
    row = connection.execute("SELECT value FROM settings WHERE name = 'queued_for'").fetchone()
    return None if row is None else str(row[0])


def set_queued_for(connection: sqlite3.Connection, choice: Optional[str]) -> None:
    """Note for which targets the outbox has everything due; None for none."""
    if choice is None:
        connection.execute("DELETE FROM settings WHERE name = 'queued_for'")
    else:
        connection.execute("INSERT OR REPLACE INTO settings VALUES ('queued_for', ?)", (choice,))


def running_processes(connection: sqlite3.Connection) -> Iterator[RunningProcess]:
    """Yield the processes of all running runs."""
    rows = connection.execute(
        "SELECT source, ifnull(process_start, ''), max(last_event_time) FROM agent_runs"
        " WHERE status = 'running' AND source IS NOT NULL GROUP BY 1, 2"
    )
    for row in rows:
        yield RunningProcess(*row)


def gone_processes(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """Return the processes known to have ended, by source and start, and when that was noted."""
    rows = connection.execute("SELECT source, process_start, noted_at FROM gone_processes")
    return {(source, start): noted_at for source, start, noted_at in rows}


def replace_gone_processes(
    connection: sqlite3.Connection, gone: Mapping[tuple[str, str], str]
) -> None:
    """Replace all of the processes known to have ended."""
    with transaction(connection):
        connection.execute("DELETE FROM gone_processes")
        connection.executemany(
            "INSERT INTO gone_processes (source, process_start, noted_at) VALUES (?, ?, ?)",
            [(source, start, noted_at) for (source, start), noted_at in gone.items()],
        )


def copy_indexer_tables(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Copy the indexer's own tables to a database that is about to replace theirs.

    What is missing or cannot be read in the old one is left behind.
    """
    for table in INDEXER_TABLES:
        try:
            with transaction(new):
                _copy_table(old, new, table)
        except sqlite3.DatabaseError as error:
            # Damaged, or with other columns: the new one starts empty. A lock is neither.
            if not is_damage(error) and not isinstance(error, sqlite3.IntegrityError):
                raise
    with transaction(new):
        # The rows were queued from the old runs, and say nothing of what came since.
        set_queued_for(new, None)
        # Every event of a database that was just built has its segment.
        new.execute("DELETE FROM settings WHERE name = ?", (UNPLACED,))


def _copy_table(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    names = _columns(new, table) & _columns(old, table)
    if not names:
        return
    listed = ", ".join(sorted(names))
    # Row by row: after a long outage of a receiver the outbox is no small table.
    rows = old.execute(f"SELECT {listed} FROM {table}")
    new.execute(f"DELETE FROM {table}")
    marks = ", ".join("?" * len(names))
    new.executemany(f"INSERT INTO {table} ({listed}) VALUES ({marks})", rows)


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
