"""The lag: how much of the log the view has not got yet.

Called by the daemon for its status, by the status command and by readers that wait. It compares
sizes; of a file that lags behind it reads one line at most.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Optional

from indexer.log.cursor import Cursor
from indexer.log.decode import Ordinals, decode_lines
from indexer.log.lines import read_lines
from indexer.log.reader import is_unchanged
from indexer.log.segments import Segment, list_segments
from indexer.log.streams import open_stream, skip
from indexer.store.cursors import all_cursors
from telemetry_core.errors import TelemetryError
from telemetry_core.line import MAX_LINE_BYTES
from telemetry_core.timestamp import moment_of, parse_time


def lag_bytes(connection: sqlite3.Connection, log_directory: Path) -> int:
    """Return how many bytes of the log stand after the cursors, incomplete last lines included."""
    known = all_cursors(connection)
    return sum(_unread(file, known.get(file.name)) for file in list_segments(log_directory))


def lagging_files(connection: sqlite3.Connection, log_directory: Path) -> int:
    """Return how many files have bytes after their cursor."""
    known = all_cursors(connection)
    return sum(_unread(file, known.get(file.name)) > 0 for file in list_segments(log_directory))


def lag_seconds(connection: sqlite3.Connection, log_directory: Path) -> float:
    """Return how long the oldest complete line that the view has not got has been waiting."""
    known = all_cursors(connection)
    moments = [
        _first_unread(file, known.get(file.name))
        for file in list_segments(log_directory)
        if _unread(file, known.get(file.name))
    ]
    waiting = [moment for moment in moments if moment is not None]
    now = datetime.now(timezone.utc)
    return max(0.0, (now - min(waiting)).total_seconds()) if waiting else 0.0


def _unread(file: Segment, cursor: Optional[Cursor]) -> int:
    if cursor is None:
        return file.size
    if file.is_compressed:
        return 0 if is_unchanged(file, cursor) else file.size
    return max(0, file.size - cursor.offset)


def _first_unread(file: Segment, cursor: Optional[Cursor]) -> Optional[datetime]:
    """Return when the first line after the cursor was written; None if it is incomplete still.

    Not before the file was read last, whatever time the event itself names.
    """
    offset, read_at = (cursor.offset, cursor.changed) if cursor else (0, 0)
    try:
        with closing(open_stream(file.path)) as stream:
            skip(stream, offset)
            line = next(read_lines(stream, offset, MAX_LINE_BYTES), None)
        if line is None:
            return None
        (entry,) = decode_lines([line], Ordinals(lambda: ()))
        if entry.event is not None:
            return max(parse_time(entry.event.time), _moment(read_at))
    except (OSError, TelemetryError, ValueError):
        # Out of reach, broken, or an event without a time: the file's own change will do.
        pass
    return _moment(file.changed)


def _moment(nanoseconds: int) -> datetime:
    return moment_of(nanoseconds / 1e9)


def is_caught_up(connection: sqlite3.Connection, log_directory: Path) -> bool:
    """Whether every file was read to the end that it has now."""
    known = all_cursors(connection)
    return all(is_unchanged(file, known.get(file.name)) for file in list_segments(log_directory))
