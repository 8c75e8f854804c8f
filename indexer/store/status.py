"""The indexer's own state: heartbeat, lag, last error, settings, processes that are gone.

Called by the daemon and by single passes. These tables say nothing of the log, so a rebuild
carries them over rather than making them anew.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Any, Optional

from indexer.store.connection import transaction
from indexer.store.schema.script import INDEXER_TABLES
from telemetry_core.process import host_name, process_is_gone

HEARTBEAT_SECONDS = 10.0
"""How often at most a daemon says that it is at work; it says nothing while nothing comes."""

_PID = re.compile(r"[0-9]{1,10}", re.ASCII)


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
    """Tell the view `stale_runs` after how long a silence a running run is stale."""
    connection.execute(
        "INSERT INTO settings (name, value) VALUES ('stale_after', ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        " WHERE value IS NOT excluded.value",
        (seconds,),
    )


def queued_for(connection: sqlite3.Connection) -> Optional[str]:
    """Return for which targets the outbox holds all that is due; None if that is not known."""
    row = connection.execute("SELECT value FROM settings WHERE name = 'queued_for'").fetchone()
    return None if row is None else str(row[0])


def set_queued_for(connection: sqlite3.Connection, choice: Optional[str]) -> None:
    """Note for which targets the outbox holds all that is due; None for none."""
    if choice is None:
        connection.execute("DELETE FROM settings WHERE name = 'queued_for'")
    else:
        connection.execute("INSERT OR REPLACE INTO settings VALUES ('queued_for', ?)", (choice,))


def refresh_gone_processes(connection: sqlite3.Connection) -> None:
    """Find out which running runs of this host have lost their process; `stale_runs` shows them."""
    known = set(connection.execute("SELECT source, process_start FROM gone_processes"))
    running = connection.execute(
        "SELECT DISTINCT source, ifnull(process_start, '') FROM agent_runs"
        " WHERE status = 'running' AND source IS NOT NULL"
    )
    gone = {(source, start) for source, start in running if _is_gone(source, start or None)}
    if gone != known:
        with transaction(connection):
            connection.execute("DELETE FROM gone_processes")
            connection.executemany("INSERT INTO gone_processes VALUES (?, ?)", gone)


def copy_indexer_tables(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Carry the indexer's own tables over to a database that is about to replace theirs."""
    with transaction(new):
        for table in INDEXER_TABLES:
            # Row by row: after a long outage of a receiver the outbox is no small table.
            rows = old.execute(f"SELECT * FROM {table}")
            new.execute(f"DELETE FROM {table}")
            marks = ", ".join("?" * len(rows.description))
            new.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        # It was queued of the old rows, and not of what came since.
        set_queued_for(new, None)


def _is_gone(source: str, start: Optional[str]) -> bool:
    host, _, pid = source.rpartition("/")
    # `isdigit` would do for neither: it takes superscripts, and numbers too long for `int`.
    known = host == host_name() and _PID.fullmatch(pid) is not None
    return known and process_is_gone(int(pid), start)
