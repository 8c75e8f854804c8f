"""Put a finished database in place of the live one, in one transaction of SQLite's own.

Open connections go on reading the old rows until it commits. Exchanging the files instead would
separate a reader from its write-ahead log.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Optional

from indexer.errors import DatabaseDamaged, DatabaseUnusable
from indexer.store import connection as database
from indexer.store.schema.check import is_ours
from indexer.store.sqlite_errors import busy, is_damage, translated
from indexer.store.status import copy_indexer_tables
from indexer.system.base import Base
from indexer.system.file_changes import replace
from telemetry_core.append_file import sync_path
from telemetry_core.clock import CLOCK
from telemetry_core.run_fields import SCHEMA_VERSION

_SWAP_PAGES = 2_000
SWAP_SECONDS = 30.0
"""How long readers with an open transaction are waited for, in a rollback-journal mode."""


def put_in_place(new: sqlite3.Connection, shadow: Path, base: Base) -> None:
    """Put a database, open as `new`, in place of the live one; `shadow` is its file.

    Under the write lease. Raises DatabaseBusy if a reader does not end its transaction in time,
    another DatabaseUnusable, or OSError; then the live database is as it was.
    """
    live = _open_live(base)
    if live is None:
        _set_aside(base.database_path)
        new.close()
        sync_path(shadow)
        replace(shadow, base.database_path)
        return
    with closing(live), translated(base.database_path):
        _carry_over(live, new)
        _copy(new, live, base.database_path)
        # It contains the whole database now, for readers that are in a transaction.
        database.empty_wal(live)


def page_size_of(path: Path) -> int:
    """Return the page size of the live database: a copy over it has to have the same."""
    try:
        # Not read from the header by hand: see `open_writer` for what closing the file does.
        with database.reading(path) as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
    except DatabaseUnusable:
        return database.PAGE_BYTES
    # Of a file without pages SQLite returns the size that it would choose itself.
    return int(size) if pages else database.PAGE_BYTES


def _copy(new: sqlite3.Connection, live: sqlite3.Connection, path: Path) -> None:
    """Copy all pages over the live database, waiting a bounded time for its readers."""
    deadline = time.monotonic() + SWAP_SECONDS
    left_before = -1

    def check_time(_status: int, remaining: int, _total: int) -> None:
        nonlocal left_before, deadline
        if remaining != left_before:
            left_before, deadline = remaining, time.monotonic() + SWAP_SECONDS
        elif time.monotonic() > deadline:
            raise busy(path)

    live.execute("PRAGMA busy_timeout = 1000")
    new.backup(live, pages=_SWAP_PAGES, sleep=0.01, progress=check_time)


def _carry_over(live: sqlite3.Connection, new: sqlite3.Connection) -> None:
    try:
        (version,) = live.execute("PRAGMA user_version").fetchone()
        if is_ours(live) and version == SCHEMA_VERSION:
            copy_indexer_tables(live, new)
    except sqlite3.DatabaseError as error:
        # Damaged in the very pages that contain it: no reason to keep a damaged database.
        if not is_damage(error):
            raise


def _open_live(base: Base) -> Optional[sqlite3.Connection]:
    """Open the database that is to be replaced; None if there is none that can be opened."""
    path = base.database_path
    if not path.is_file() or path.stat().st_size == 0:
        return None
    try:
        return database.open_writer(path, base.config.journal_mode)
    except DatabaseDamaged:
        return None


def _set_aside(path: Path) -> None:
    """Keep what is in the database's place under another name: it is not ours to delete."""
    if path.exists() and path.stat().st_size:
        replace(path, f"{path}.damaged-{CLOCK.tick().time.replace(':', '')}")
    database.remove_database(path)
