"""Rebuild the database from the log, and put it in place atomically.

It builds in a file of its own and never touches the log. Killed at any moment, it leaves the old
database as it was. Readers see the old rows or the new ones, never anything between.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection
from contextlib import closing, suppress
from pathlib import Path
from typing import Callable

from indexer.database.pricing.calls import price_calls
from indexer.database.replacement.lost_rows import check_nothing_lost
from indexer.database.replacement.swap import page_size_of, put_in_place
from indexer.database.search_index import SearchIndex, prepare
from indexer.errors import DatabaseDamaged, Interrupted, OutOfMemory
from indexer.ingest.ingest import Ingest, PassResult
from indexer.store import connection as database
from indexer.store.schema.check import create_schema
from indexer.store.sqlite_errors import translated
from indexer.store.status import set_stale_after
from indexer.system.base import Base
from indexer.system.callbacks import Progress, ShouldStop, never_stop, no_progress


def rebuild(
    base: Base,
    on_progress: Progress = no_progress,
    should_stop: ShouldStop = never_stop,
    *,
    omit: Collection[str] = (),
    when_in_place: Callable[[], None] = lambda: None,
    force: bool = False,
) -> PassResult:
    """Replay the log into a new database and put it in place of the old one.

    Works while a daemon runs, which waits for the last moment of it. Segments that `omit`
    names are left out; `when_in_place` is called before anybody else can make a pass. Raises
    RowsWouldBeLost, unless forced or given what to omit, if the old database has events that no
    segment has; AlreadyRunning, another DatabaseUnusable, or OSError.
    """
    with suppress(DatabaseDamaged):
        database.check_ownership(base.database_path)
    shadow = base.shadow_path
    with base.rebuild_lease():
        database.remove_database(shadow)
        try:
            connection = _open_shadow(shadow, page_size_of(base.database_path))
            with closing(connection), translated(shadow):
                ingest = _empty(connection, base, omit)
                first = _build(ingest, on_progress, should_stop)
                # From here on nobody else writes the live database; little came in the meantime.
                with base.write_lease():
                    last = ingest.run_pass(on_progress=on_progress)
                    if not (force or omit):
                        check_nothing_lost(base, connection)
                    price_calls(connection, base.directory)
                    set_stale_after(connection, base.config.stale_after)
                    put_in_place(connection, shadow, base)
                    when_in_place()
                return _sum(first, last)
        finally:
            database.remove_database(shadow)


def _empty(connection: sqlite3.Connection, base: Base, omit: Collection[str]) -> Ingest:
    """Create all tables, and return what fills them."""
    create_schema(connection)
    prepare(connection, base)
    listeners = [SearchIndex(connection).update]
    return Ingest(connection, base.log_directory, omit, listeners)


def _build(
    ingest: Ingest,
    on_progress: Progress,
    should_stop: ShouldStop,
) -> PassResult:
    try:
        first = ingest.run_pass(should_stop, on_progress)
    except MemoryError as error:
        raise OutOfMemory("there is not enough memory to rebuild the database") from error
    if not first.is_complete:
        raise Interrupted("the rebuild was asked to stop")
    return first


def _open_shadow(path: Path, page_size: int) -> sqlite3.Connection:
    """Open the database that is built: without sync or journal, for a broken one is discarded."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    with translated(path):
        connection = sqlite3.connect(path, isolation_level=None)
        with database.closed_on_error(connection):
            connection.execute(f"PRAGMA page_size = {page_size}")
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
    return connection


def _sum(first: PassResult, last: PassResult) -> PassResult:
    lines = {
        name: first.lines.get(name, 0) + last.lines.get(name, 0)
        for name in first.lines.keys() | last.lines.keys()
    }
    return PassResult(lines, first.read_bytes + last.read_bytes, last.problems, last.is_complete)
