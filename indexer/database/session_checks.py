"""Checks that an open database is still the one that others open.

A file that is deleted, replaced, truncated or overwritten under an open connection is not noticed
by SQLite: it goes on with what it has in memory.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Optional

from indexer.errors import DatabaseDamaged, DatabaseUnreachable, DatabaseUnusable
from indexer.store.connection import reading
from indexer.store.status import read_status
from indexer.system.filesystem import identity


class SessionChecks:
    """What was true of the database's files when it was opened, and whether it still is."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._identity = identity(path)
        self._companions = self._find_companions()
        self._seen_in: Optional[list[tuple[int, ...]]] = None

    def is_in_place(self) -> bool:
        """Whether the open database is still the file that readers would open."""
        return identity(self._path) == self._identity

    def check_companions(self) -> None:
        """Raise DatabaseDamaged if the write-ahead log or its index is not the one we opened."""
        if self._find_companions() != self._companions:
            # Connections opened from now on would share no lock with those that are open.
            raise DatabaseDamaged(f"{self._path}: its write-ahead log was deleted or replaced")

    def check_readers_see_writes(self) -> None:
        """Raise DatabaseDamaged unless a new connection sees what this one has written.

        Nothing is opened while the files are as they were when that was last seen: a reader
        leaves a mark in the shared memory, which is a page written to the disk.
        """
        state = self._state()
        if state is not None and state == self._seen_in:
            return
        try:
            with reading(self._path) as reader:
                is_seen = read_status(reader) == read_status(self._connection)
        except DatabaseUnreachable:
            # No descriptors left, or no permission: nothing that a rebuild could fix.
            raise
        except DatabaseUnusable as error:
            raise DatabaseDamaged(f"readers cannot open what is written: {error}") from error
        if not is_seen:
            raise DatabaseDamaged(f"{self._path}: readers do not see what is written")
        self._seen_in = state

    def _state(self) -> Optional[list[tuple[int, ...]]]:
        """Return what changes with the content and permissions of the files; None if unknown."""
        # Not of the shared memory, which SQLite changes without the kernel's knowledge; and not
        # when a file's owner was last set, which SQLite does for root each time it opens one.
        names = [f"{self._path}{end}" for end in ("", "-wal", "-journal")]
        try:
            found = [os.stat(name) for name in names if os.path.exists(name)]
        except OSError:
            return None
        return [
            (one.st_ino, one.st_size, one.st_mtime_ns, one.st_mode, one.st_uid) for one in found
        ]

    def _find_companions(self) -> list[tuple[int, int]]:
        return [identity(f"{self._path}{suffix}") for suffix in ("-wal", "-shm")]
