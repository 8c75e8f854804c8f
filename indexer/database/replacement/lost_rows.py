"""Check that a rebuilt database has every event of the one that it is to replace.

Events of a segment that is gone or unreadable are in the database only: a rebuild would drop them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from typing import Optional

from indexer.errors import DatabaseUnusable, RowsWouldBeLost
from indexer.store.connection import reading
from indexer.store.cursors import unplaced_events
from indexer.system.base import Base

_KEYS = "SELECT run_id, event_id FROM run_events ORDER BY run_id, event_id"
_NAMES_SHOWN = 5


def check_nothing_lost(base: Base, new: sqlite3.Connection) -> None:
    """Raise RowsWouldBeLost if the live database has events that `new` lacks.

    One that is missing or cannot be read has nothing that could be lost.
    """
    if not base.database_path.is_file():
        return
    with suppress(DatabaseUnusable), reading(base.database_path) as live:
        suspects = _segments_read_less(live, new)
        if not suspects and not unplaced_events(live):
            return
        lost = _count_missing(live.execute(_KEYS), new.execute(_KEYS))
        if lost:
            shown = ", ".join(suspects[:_NAMES_SHOWN]) or "segments that are gone"
            raise _lost(base, lost, shown)


def _lost(base: Base, lost: int, where: str) -> RowsWouldBeLost:
    return RowsWouldBeLost(
        f"{lost} events are in {base.database_path.name} but in no readable segment of"
        f" {base.log_directory} (missing: {where}); nothing was changed"
    )


def _segments_read_less(live: sqlite3.Connection, new: sqlite3.Connection) -> list[str]:
    """Return the segments that were read further for the live database than for the new one."""
    offsets = dict(new.execute("SELECT name, offset FROM log_files").fetchall())
    return [
        name
        for name, offset in live.execute("SELECT name, offset FROM log_files ORDER BY name")
        if offsets.get(name, 0) < offset
    ]


def _count_missing(wanted: Iterator[tuple[str, str]], present: Iterator[tuple[str, str]]) -> int:
    """Return how many keys of one sorted sequence are not in another."""
    missing = 0
    other: Optional[tuple[str, str]] = next(present, None)
    for key in wanted:
        while other is not None and other < key:
            other = next(present, None)
        missing += other != key
    return missing
