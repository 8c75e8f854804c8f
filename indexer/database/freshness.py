"""Bring the database up to date before it is read, so that nobody reads old rows unawares.

Where a daemon runs it is waited for; otherwise this process makes the pass itself. Where nothing
can be written, what can be read is read, with a warning.
"""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple, Union

from indexer.database.opening import open_or_rebuild
from indexer.database.rebuild import rebuild
from indexer.errors import (
    AlreadyRunning,
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseUnusable,
    NotOurDatabase,
)
from indexer.ingest.backlog import take_backlog
from indexer.ingest.ingest import Ingest, PassResult
from indexer.store.connection import reading
from indexer.store.schema.check import create_schema, has_our_schema
from indexer.store.status import set_stale_after
from indexer.system.base import ONE_PASS, Base
from indexer.system.callbacks import Progress, no_progress
from telemetry_core.errors import TelemetryError

_NOT_WRITABLE = frozenset((errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT))
"""Somebody else's base, a read-only mount, a full disk."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_SQLITE_NOT_WRITABLE = ("database or disk is full", "attempt to write a readonly database")
_PATIENCE_WITH_A_DAEMON = 2.0
_LOOK_SECONDS = 0.02


class FreshDatabase(NamedTuple):
    """A database to read, as up to date as it can be."""

    connection: sqlite3.Connection
    warning: str
    """Why it may be out of date; empty if it is not."""


def index_once(base: Base, on_progress: Progress = no_progress) -> PassResult:
    """Make one pass over the log. Raises AlreadyRunning, TelemetryError or OSError."""
    with base.indexer_lease(ONE_PASS):
        try:
            return _pass(base, on_progress)
        except DatabaseDamaged:
            # It opened, and failed further in. Rebuilt from the log, as a daemon would do it.
            rebuild(base, on_progress)
            return _pass(base, on_progress)


def _pass(base: Base, on_progress: Progress) -> PassResult:
    with closing(open_or_rebuild(base, on_progress)) as session:
        result = session.run_pass()
        session.refresh_gone_processes()
        return result


def refresh_database(base: Base, on_progress: Progress = no_progress) -> str:
    """Bring the database up to date with the log; return a warning where that is not possible.

    Raises TelemetryError or OSError where there is nothing that could be read.
    """
    try:
        result = index_once(base, on_progress)
    except AlreadyRunning:
        return _wait_for_daemon(base)
    except DatabaseBusy as error:
        return f"the database may be out of date: {error}"
    except (OSError, DatabaseUnusable) as error:
        if not cannot_write(error):
            raise
        return f"the database may be out of date, for it cannot be written to: {_in_words(error)}"
    return "; ".join(result.problems)


@contextmanager
def fresh_database(base: Base, on_progress: Progress = no_progress) -> Iterator[FreshDatabase]:
    """Give the database, read-only and up to date.

    Where there is none that can be read, and none can be written either, the log is indexed in
    memory for this once. Raises TelemetryError or OSError.
    """
    warning = refresh_database(base, on_progress)
    if warning and not _is_readable(base):
        with closing(_in_memory(base, on_progress)) as connection:
            yield FreshDatabase(connection, f"{warning}; the log was indexed in memory instead")
        return
    with reading(base.database_path) as connection:
        yield FreshDatabase(connection, warning)


def cannot_write(error: Union[OSError, TelemetryError]) -> bool:
    """Whether an error only says that nothing can be written there."""
    if isinstance(error, OSError):
        return error.errno in _NOT_WRITABLE
    return any(text in str(error) for text in _SQLITE_NOT_WRITABLE)


def _in_words(error: Union[OSError, TelemetryError]) -> str:
    is_full = "is full" in str(error) or getattr(error, "errno", None) in _FULL
    # Not the error's own advice, a rebuild: that would need more room still.
    return f"{str(error).partition('. ')[0]}. Free some space" if is_full else str(error)


def _is_readable(base: Base) -> bool:
    try:
        with reading(base.database_path) as connection:
            return has_our_schema(connection)
    except NotOurDatabase:
        raise
    except DatabaseUnusable:
        return False


def _in_memory(base: Base, on_progress: Progress) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        create_schema(connection)
        set_stale_after(connection, base.config.stale_after)
        Ingest(connection, base.log_directory).run_pass(on_progress=on_progress)
    except BaseException:
        connection.close()
        raise
    return connection


def _wait_for_daemon(base: Base) -> str:
    deadline = time.monotonic() + _PATIENCE_WITH_A_DAEMON
    while True:
        try:
            with reading(base.database_path) as connection:
                if take_backlog(connection, base.log_directory).is_caught_up:
                    return ""
        except DatabaseUnusable:
            if time.monotonic() >= deadline:
                raise
        if time.monotonic() >= deadline:
            return "the daemon has not caught up with the log yet; see `telemetry status`"
        time.sleep(_LOOK_SECONDS)
