"""Translate SQLite's errors into ours: here, and nowhere else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.errors import DatabaseBusy, DatabaseDamaged, DatabaseUnreachable, DatabaseUnusable

# SQLite's own words for some of its codes; Python has the codes themselves from 3.11 on.
CANT_OPEN = "unable to open database file"
READ_ONLY = "attempt to write a readonly database"
_LOCKED = "locked"


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with the file that they are about."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(path, error) from error


def _translate(path: Path, error: sqlite3.Error) -> DatabaseUnusable:
    if is_damage(error):
        return DatabaseDamaged(f"{path}: {error}")
    if str(error) == CANT_OPEN:
        return DatabaseUnreachable(f"{path}: {error}")
    if isinstance(error, sqlite3.OperationalError) and _LOCKED in str(error):
        return busy(path)
    return DatabaseUnusable(f"{path}: {error}")


def busy(path: Path) -> DatabaseBusy:
    """Return the error for a database that stayed locked, with who holds the lock."""
    # Imported here: only an error needs it.
    from indexer.system.lock_holders import lock_holders

    holders = lock_holders(path, Path(f"{path}-shm"))
    return DatabaseBusy(f"{path} is locked by {', '.join(holders) or 'another process'}")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is not a database, or is damaged."""
    # The bare class is what SQLite's "not a database" and "malformed" come as; a full disk,
    # a lock or a missing permission comes as a subclass and says nothing about the file.
    return type(error) is sqlite3.DatabaseError
