"""Open the database file: for the one writer, and for all the readers.

A reader cannot write, whatever SQL it is given.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Optional

from indexer.errors import DatabaseUnusable, NotOurDatabase
from indexer.store.schema.check import is_empty, is_ours
from indexer.store.sqlite_errors import CANT_OPEN, READ_ONLY, translated
from indexer.system.file_changes import delete
from indexer.system.filesystem import journal_mode_for
from telemetry_core.settings import JOURNAL_MODES
from telemetry_core.storage import make_directory

BUSY_SECONDS = 10.0

PAGE_BYTES = 8192
"""Of a database that is created here. Larger than SQLite's own 4096: rows of events are long, and
where many runs interleave each touches a page, whatever its size."""

COMPANIONS = ("-wal", "-shm", "-journal")
"""SQLite's companion files of a database, by what it appends to the name."""

WAL_LIMIT_BYTES = 64 * 1024 * 1024
"""The write-ahead log grows beyond this only for one long transaction, or under a reader's."""


def open_writer(path: Path, journal_mode: Optional[str] = None) -> sqlite3.Connection:
    """Open the database for writing, created with mode 0600 if missing.

    `journal_mode` is the user's choice; without one the file system decides. Raises
    NotOurDatabase before anything is written to another program's file, or another
    DatabaseUnusable. Every transaction is begun by hand, IMMEDIATE.
    """
    make_directory(path.parent)
    _create_file(path)
    check_ownership(path)
    with translated(path):
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        with closed_on_error(connection):
            _check_ours(connection, path)
            # Of no effect on a database that has its pages already.
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            set_journal_mode(connection, journal_mode or journal_mode_for(path))
            connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
    return connection


def check_ownership(path: Path) -> None:
    """Check that a database is ours, or still empty. Raises NotOurDatabase or DatabaseUnusable."""
    if not path.is_file() or not path.stat().st_size:
        return
    try:
        with closing(open_reader(path)) as connection, translated(path):
            _check_ours(connection, path)
    except DatabaseUnusable as error:
        # Half written by a process that died: only a writer can roll that back, and looks again.
        if READ_ONLY not in str(error):
            raise


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    if not is_empty(connection) and not is_ours(connection):
        raise NotOurDatabase(f"{path} is another program's database")


def _create_file(path: Path) -> None:
    if not path.exists():
        _create_for_owner_of_directory(path)
    # An existing one is not opened: to close a descriptor of a file gives up all locks that the
    # process has on it, those of its other connections included.
    elif not os.access(path, os.R_OK | os.W_OK):
        # SQLite would open it for reading, and fail at the first write.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    for companion in (Path(f"{path}{suffix}") for suffix in COMPANIONS):
        if companion.exists() and not os.access(companion, os.R_OK | os.W_OK):
            # Created by a reader, with the mode of the database, while that was read-only.
            companion.chmod(0o600)


def _create_for_owner_of_directory(path: Path) -> None:
    """Create an empty file; what root creates belongs to the owner of its directory.

    SQLite gives its companions the owner of the database.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if sys.platform != "win32" and os.geteuid() == 0:
            owner = os.stat(path.parent)
            os.fchown(fd, owner.st_uid, owner.st_gid)
    finally:
        os.close(fd)


@contextmanager
def closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    """Close a connection if the block that makes it ready fails: nobody else will."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def set_journal_mode(connection: sqlite3.Connection, wanted: str) -> None:
    """Set the journal mode; where WAL is not possible, SQLite keeps what is.

    Under WAL a power cut may take the last commits but never damages the file, and the log still
    has them; in the other modes only FULL is as safe.
    """
    mode = wanted.upper() if wanted.upper() in JOURNAL_MODES else "DELETE"
    (effective,) = connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()
    synchronous = "NORMAL" if effective == "wal" else "FULL"
    connection.execute(f"PRAGMA synchronous = {synchronous}")


def open_reader(
    path: Path, timeout: float = BUSY_SECONDS, any_thread: bool = False
) -> sqlite3.Connection:
    """Open the database read-only, wherever its bytes can be read.

    With `any_thread` the connection may be passed between threads, one at a time. Raises
    DatabaseUnusable if there is no database, or one that is damaged.
    """
    if not path.is_file():
        raise DatabaseUnusable(f"no database at {path}")
    with translated(path):
        try:
            connection = _connect(read_only_uri(path), timeout, any_thread)
        except sqlite3.OperationalError as error:
            if str(error) != CANT_OPEN or _is_writable(path.parent):
                raise
            # Imported here: it is rarely needed, and copying files is large to import.
            from indexer.system.sqlite_copy import connect_without_shared_memory

            connection = connect_without_shared_memory(path, not any_thread)
        connection.execute("PRAGMA query_only = ON")
    return connection


def _is_writable(directory: Path) -> bool:
    return os.access(directory, os.W_OK)


def _connect(uri: str, timeout: float, any_thread: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=not any_thread
    )
    with closed_on_error(connection):
        # The first read opens the write-ahead log, which fails where its index cannot be made.
        connection.execute("PRAGMA schema_version").fetchone()
    return connection


def read_only_uri(path: Path) -> str:
    """Return the URI by which SQLite opens a database for reading only."""
    uri = path.absolute().as_uri()
    if not uri.startswith("file:///"):
        # A share of Windows, whose server SQLite would refuse as a host: it is part of the path.
        uri = "file:////" + uri[len("file://") :]
    return f"{uri}?mode=ro"


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a read-only connection for the length of a block, errors translated."""
    connection = open_reader(path)
    try:
        with translated(path):
            yield connection
    finally:
        connection.close()


def wal_bytes(path: Path) -> int:
    """Return how large the write-ahead log of a database is; 0 if it has none."""
    try:
        return os.path.getsize(f"{path}-wal")
    except FileNotFoundError:
        return 0


def empty_wal(connection: sqlite3.Connection) -> None:
    """Move what the write-ahead log contains into the database and truncate the file.

    Where a reader still needs what is in it, as much is done as is possible: it waits for nobody.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a block as one transaction that writes: all of it or nothing."""
    # IMMEDIATE: a transaction that begins by reading and then writes fails at once, without
    # waiting, if anybody wrote in between.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def remove_database(path: Path) -> None:
    """Delete a database with SQLite's companion files."""
    # The companions go first: a leftover WAL would be played into the next file of this name.
    for suffix in (*COMPANIONS, ""):
        delete(f"{path}{suffix}")
