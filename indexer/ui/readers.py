"""Read-only connections for the pages: a few, shared, each use with a deadline.

Called by the pages. A database that was replaced by a rebuild is opened again; where there is
none yet, the pages read an empty one in memory.
"""

from __future__ import annotations

import queue
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Optional, Protocol

from indexer.errors import DatabaseUnusable
from indexer.store.connection import open_reader
from indexer.store.query import Query
from indexer.store.schema.check import create_schema, has_our_schema, is_empty
from indexer.store.sqlite_errors import translated
from indexer.system.filesystem import identity

_SCHEMA = (
    "SELECT objects.name, columns.name FROM sqlite_master AS objects,"
    " pragma_table_info(objects.name) AS columns WHERE objects.type IN ('table', 'view')"
    " ORDER BY objects.type, objects.name, columns.cid"
)
_CONNECTIONS = 4
_STEPS_BETWEEN_LOOKS = 2_000
_BUSY_SECONDS = 1.0


class Deadline:
    """A moment after which SQLite is interrupted."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def is_over(self) -> bool:
        """Return whether it has passed."""
        return time.monotonic() > self._at


class Answer(NamedTuple):
    """What a query of the user's gives."""

    columns: list[str]
    rows: Iterator[tuple[Any, ...]]


class Reading(Protocol):
    """What pages read: this host's database, or a fleet."""

    @property
    def name(self) -> str:
        """`fleet NAME at HOST`; empty for this host."""
        ...

    @property
    def note(self) -> str:
        """What the lists leave out, in words; empty for nothing."""
        ...

    def connection(
        self, seconds: float, about: Sequence[str] = ()
    ) -> AbstractContextManager[sqlite3.Connection]:
        """Give a connection for a block, in which SQLite may run until `seconds` from now.

        `about` are the runs that the page is about, by their ids or the beginnings of them.
        """
        ...

    def query(self, sql: str, seconds: float) -> AbstractContextManager[Answer]:
        """Give the answer to a query of the user's, for a block."""
        ...

    def schema(self, seconds: float) -> dict[str, list[str]]:
        """Return tables and views with the names of their columns."""
        ...

    def close(self) -> None:
        """Close all connections."""


class Readers:
    """At most four connections to one database, handed out one at a time."""

    name = ""
    note = ""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: queue.LifoQueue[Optional[_Reader]] = queue.LifoQueue()
        for _ in range(_CONNECTIONS):
            self._places.put(None)

    @contextmanager
    def connection(
        self,
        seconds: float,
        about: Sequence[str] = (),  # noqa: ARG002  # all runs are there
    ) -> Iterator[sqlite3.Connection]:
        """Give a connection for a block, in which SQLite may run until `seconds` from now.

        A statement past the deadline raises sqlite3.OperationalError ("interrupted"). Raises
        DatabaseUnusable where the database cannot be opened or is of another version.
        """
        place = self._places.get()
        try:
            place = self._current(place)
            place = place or _Reader(self._path)
            deadline = Deadline(seconds)
            place.connection.set_progress_handler(deadline.is_over, _STEPS_BETWEEN_LOOKS)
            yield place.connection
        finally:
            self._places.put(place)

    @contextmanager
    def query(self, sql: str, seconds: float) -> Iterator[Answer]:
        """Give the answer to a query, on a connection of its own.

        Raises QueryFailed or DatabaseUnusable.
        """
        with closing(open_reader(self._path)) as connection:
            running = Query(connection, sql, seconds)
            yield Answer(running.columns, running.rows())

    def schema(self, seconds: float) -> dict[str, list[str]]:
        """Return tables and views with the names of their columns."""
        schema: dict[str, list[str]] = {}
        with self.connection(seconds) as connection:
            for name, column in connection.execute(_SCHEMA):
                schema.setdefault(name, []).append(column)
        return schema

    def close(self) -> None:
        """Close all connections; waits for those in use."""
        for _ in range(_CONNECTIONS):
            reader = self._places.get()
            if reader is not None:
                reader.connection.close()

    def _current(self, reader: Optional[_Reader]) -> Optional[_Reader]:
        """Return the reader if it still reads the file at the path; close it if not."""
        if reader is None or reader.identity == identity(self._path):
            return reader
        reader.connection.close()
        return None


class _Reader:
    """One connection, and which file it reads."""

    def __init__(self, path: Path) -> None:
        self.identity = identity(path)
        connection = _open(path) if path.is_file() else None
        if connection is None:
            # Looked for again at the next use.
            self.identity = (0, 0)
        self.connection = connection or _empty()


def _open(path: Path) -> Optional[sqlite3.Connection]:
    """Open the database; None if the indexer has just begun to make it."""
    connection = open_reader(path, _BUSY_SECONDS, any_thread=True)
    try:
        with translated(path):
            if is_empty(connection):
                connection.close()
                return None
            _check_schema(connection, path)
        connection.text_factory = _text
    except BaseException:
        connection.close()
        raise
    return connection


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    if not has_our_schema(connection):
        raise DatabaseUnusable(f"{path} is of another version, or is not a telemetry database")


def _empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    create_schema(connection)
    return connection


def _text(data: bytes) -> str:
    # SQLite does not promise that text is UTF-8, and one bad value must not cost the page.
    return data.decode("utf-8", "replace")
