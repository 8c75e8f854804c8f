"""The database file: opening it, for the one writer and for all the readers.

Called by the store, rebuild, verify and the reading commands. Errors of SQLite are turned into
ours here. A reader can't write, whatever SQL it is given.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Optional

from indexer.errors import DatabaseDamaged, DatabaseOutOfReach, DatabaseUnusable
from indexer.store.schema.script import APPLICATION_ID, schema_sql
from indexer.system.file_changes import delete
from indexer.system.filesystem import journal_mode_for
from telemetry_core.config import JOURNAL_MODES
from telemetry_core.fields import SCHEMA_VERSION
from telemetry_core.storage import make_directory

BUSY_SECONDS = 10.0

PAGE_BYTES = 8192
"""Of a database that is made here. Larger than SQLite's own 4096: rows of events are long, and
where many runs interleave each touches a page, whatever its size."""

# SQLite's own words for one of its codes; Python tells the codes themselves from 3.11 on.
_CANT_OPEN = "unable to open database file"

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database, named by what it appends to the name."""

WAL_LIMIT_BYTES = 64 * 1024 * 1024
"""The write-ahead log grows beyond this only for one long transaction, or under a reader's."""


def open_writer(path: Path, journal_mode: Optional[str] = None) -> sqlite3.Connection:
    """Open the database for writing, made with mode 0600 if it is not there.

    `journal_mode` is the user's word; without one the file system decides. Raises
    DatabaseUnusable. Every transaction is begun by hand, IMMEDIATE.
    """
    make_directory(path.parent)
    _make_file(path)
    with translated(path):
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        with closed_on_error(connection):
            # Of no effect on a database that has its pages already.
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            set_journal_mode(connection, journal_mode or journal_mode_for(path))
            connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
    return connection


def _make_file(path: Path) -> None:
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    # One that is there is not opened: to close a descriptor of a file gives up all locks that
    # the process has on it, those of its other connections included.
    elif not os.access(path, os.R_OK | os.W_OK):
        # SQLite would open it for reading, and fail at the first write.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    for companion in (Path(f"{path}{suffix}") for suffix in COMPANIONS):
        if companion.exists() and not os.access(companion, os.R_OK | os.W_OK):
            # Made by a reader, with the mode of the database, while that might not be written.
            companion.chmod(0o600)


@contextmanager
def closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    """Close a connection if the block that makes it ready fails: nobody else will."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def set_journal_mode(connection: sqlite3.Connection, wanted: str) -> None:
    """Set the journal mode; where WAL is not to be had, SQLite stays with what it can.

    Under WAL a power cut may take the last commits but never harms the file, and the log has
    them still; in the other modes only FULL is as safe.
    """
    mode = wanted.upper() if wanted.upper() in JOURNAL_MODES else "DELETE"
    (effective,) = connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()
    synchronous = "NORMAL" if effective == "wal" else "FULL"
    connection.execute(f"PRAGMA synchronous = {synchronous}")


def open_reader(
    path: Path, timeout: float = BUSY_SECONDS, any_thread: bool = False
) -> sqlite3.Connection:
    """Open the database read-only. Raises DatabaseUnusable if there is none.

    With `any_thread` the connection may be passed between threads, one at a time.
    """
    if not path.is_file():
        raise DatabaseUnusable(f"no database at {path}")
    with translated(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            timeout=timeout,
            isolation_level=None,
            check_same_thread=not any_thread,
        )
        connection.execute("PRAGMA query_only = ON")
    return connection


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
    """Move what the write-ahead log holds into the database and cut the file to nothing.

    Where a reader still needs what is in it, as much is done as can be: it waits for nobody.
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


def create_schema(connection: sqlite3.Connection) -> None:
    """Make all tables and views in an empty database."""
    with transaction(connection):
        for statement in schema_sql().split(";\n"):
            if statement.strip():
                connection.execute(statement)


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether the database has no tables at all: it has just been made."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(tables == 0)


def has_our_schema(connection: sqlite3.Connection) -> bool:
    """Whether the database is ours and of this version."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return bool((application, version) == (APPLICATION_ID, SCHEMA_VERSION))


def is_ours(connection: sqlite3.Connection) -> bool:
    """Whether the database is ours, of whatever version."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    return bool(application == APPLICATION_ID)


def remove_database(path: Path) -> None:
    """Delete a database with all that SQLite keeps beside it."""
    # The companions go first: a leftover WAL would be played into the next file of this name.
    for suffix in (*COMPANIONS, ""):
        delete(f"{path}{suffix}")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with the file they are about."""
    try:
        yield
    except sqlite3.Error as error:
        if is_damage(error):
            raise DatabaseDamaged(f"{path}: {error}") from error
        if str(error) == _CANT_OPEN:
            raise DatabaseOutOfReach(f"{path}: {error}") from error
        raise DatabaseUnusable(f"{path}: {error}") from error


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is no database, or a broken one."""
    # The bare class is what SQLite's "not a database" and "malformed" come as; a full disk,
    # a lock or a missing permission comes as a subclass and says nothing about the file.
    return type(error) is sqlite3.DatabaseError
