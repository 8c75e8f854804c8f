"""The rebuild: the whole view made anew from the log, and put in place at one stroke.

Called by `telemetry rebuild`, and by whoever finds the view damaged or of another version. It
builds in a file of its own and never touches the log. Killed at any moment, it leaves the old
view standing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Callable, Optional

from indexer.errors import DatabaseDamaged, DatabaseUnusable, Interrupted
from indexer.ingest.ingest import Ingest, PassResult
from indexer.store import connection as database
from indexer.store.status import copy_indexer_tables, set_stale_after
from indexer.system.base import Base
from indexer.system.file_changes import replace
from telemetry_core.append_file import sync_path
from telemetry_core.clock import CLOCK

_SWAP_PAGES = 2_000


def rebuild(
    base: Base,
    on_progress: Callable[[int], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
    omit: Collection[str] = (),
    when_in_place: Callable[[], None] = lambda: None,
) -> PassResult:
    """Replay the log into a new database and put it in the old one's place.

    Works beside a running daemon: it stands aside for the last moment. Readers see the old
    rows or the new, never anything between. Files that `omit` names are left out;
    `when_in_place` is called before anybody else can make a pass. Raises AlreadyRunning,
    DatabaseUnusable or OSError.
    """
    shadow = base.shadow_path
    with base.rebuild_lease():
        database.remove_database(shadow)
        try:
            connection = _open_shadow(shadow, page_size_of(base.database_path))
            with closing(connection), database.translated(shadow):
                ingest = Ingest(connection, base.log_directory, omit)
                first = _build(connection, ingest, on_progress, should_stop)
                # From here on the live view stands still; what came meanwhile is little.
                with base.write_lease():
                    last = ingest.run_pass(on_progress=on_progress)
                    set_stale_after(connection, base.config.stale_after)
                    put_in_place(connection, shadow, base)
                    when_in_place()
                return _sum(first, last)
        finally:
            database.remove_database(shadow)


def _build(
    connection: sqlite3.Connection,
    ingest: Ingest,
    on_progress: Callable[[int], None],
    should_stop: Callable[[], bool],
) -> PassResult:
    database.create_schema(connection)
    first = ingest.run_pass(should_stop, on_progress)
    if not first.is_complete:
        raise Interrupted("the rebuild was told to stop")
    return first


def _open_shadow(path: Path, page_size: int) -> sqlite3.Connection:
    """Open the database that is built: unsafe and quick, for if it breaks nobody has seen it."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    with database.translated(path):
        connection = sqlite3.connect(path, isolation_level=None)
        with database.closed_on_error(connection):
            connection.execute(f"PRAGMA page_size = {page_size}")
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
    return connection


def put_in_place(new: sqlite3.Connection, shadow: Path, base: Base) -> None:
    """Put a database, open as `new`, in the view's place; `shadow` is its file.

    Under the write lease. Raises DatabaseUnusable or OSError.
    """
    live = _open_live(base)
    if live is None:
        _set_aside(base.database_path)
        new.close()
        sync_path(shadow)
        replace(shadow, base.database_path)
        return
    with closing(live), database.translated(base.database_path):
        _carry_over(live, new)
        # One transaction of SQLite's own: open connections go on reading the old rows until it
        # commits. Exchanging the files instead would part a reader from its write-ahead log.
        new.backup(live, pages=_SWAP_PAGES, sleep=0.01)
        # It holds the whole view now, for readers that are in a transaction.
        database.empty_wal(live)


def _carry_over(live: sqlite3.Connection, new: sqlite3.Connection) -> None:
    try:
        if database.has_our_schema(live):
            copy_indexer_tables(live, new)
    except sqlite3.DatabaseError as error:
        # Broken in the very pages that hold it: a heartbeat is no reason to keep a broken view.
        if not database.is_damage(error):
            raise


def _open_live(base: Base) -> Optional[sqlite3.Connection]:
    """Open the view that is to be replaced; None if there is none that can be opened."""
    path = base.database_path
    if not path.is_file() or path.stat().st_size == 0:
        return None
    try:
        return database.open_writer(path, base.config.journal_mode)
    except DatabaseDamaged:
        return None


def page_size_of(path: Path) -> int:
    """Return the page size of the view in place: a copy over it has to have the same."""
    try:
        # Not read from the header by hand: see `open_writer` for what closing the file does.
        with database.reading(path) as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
    except DatabaseUnusable:
        return database.PAGE_BYTES
    # Of a file without pages SQLite tells the size that it would choose itself.
    return int(size) if pages else database.PAGE_BYTES


def _set_aside(path: Path) -> None:
    """Keep what stands in the view's place under another name: it is not ours to delete."""
    if path.exists() and path.stat().st_size:
        replace(path, f"{path}.damaged-{CLOCK.tick().time.replace(':', '')}")
    database.remove_database(path)


def _sum(first: PassResult, last: PassResult) -> PassResult:
    lines = {
        name: first.lines.get(name, 0) + last.lines.get(name, 0)
        for name in first.lines.keys() | last.lines.keys()
    }
    return PassResult(lines, first.read_bytes + last.read_bytes, last.problems, last.is_complete)
