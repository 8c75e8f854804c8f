"""Look at the log and the cursors once, and derive everything else from that.

Taken once per command. It compares sizes; of a segment that is behind it reads one line at most.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Optional

from indexer.log.cursor import Cursor, is_unchanged
from indexer.log.segments import Segment, UnreadFile, list_log
from indexer.log.streams import open_stream, read_chunk, skip
from indexer.store.cursors import all_cursors, unplaced_events
from telemetry_core.errors import TelemetryError
from telemetry_core.timestamp import moment_of, parse_time


class Unreadable(NamedTuple):
    """A segment that cannot be opened or decoded."""

    name: str
    reason: str


@dataclass(frozen=True)
class Backlog:
    """What the log has beyond the database, and what of it cannot be read."""

    segments: list[Segment]
    cursors: Mapping[str, Cursor]
    unread_files: list[UnreadFile]
    """Files in the log's directory that are not part of the log."""
    unplaced_events: int
    """Events in the database whose segment is gone: a rebuild would drop them."""

    @property
    def log_bytes(self) -> int:
        """Bytes of all segments, as they are on disk."""
        return sum(segment.size for segment in self.segments)

    @cached_property
    def behind(self) -> list[Segment]:
        """The segments with bytes after their cursor."""
        return [one for one in self.segments if self._unread(one)]

    @property
    def lag_bytes(self) -> int:
        """Bytes after the cursors, incomplete last lines included."""
        return sum(map(self._unread, self.behind))

    @cached_property
    def lag_seconds(self) -> float:
        """How long the oldest complete line that is not indexed has been waiting."""
        moments = [_first_unread(one, self.cursors.get(one.name)) for one in self.behind]
        waiting = [moment for moment in moments if moment is not None]
        now = datetime.now(timezone.utc)
        return max(0.0, (now - min(waiting)).total_seconds()) if waiting else 0.0

    @property
    def is_caught_up(self) -> bool:
        """Whether every segment was read to the end that it has now."""
        return all(is_unchanged(one, self.cursors.get(one.name)) for one in self.segments)

    @cached_property
    def unreadable(self) -> list[Unreadable]:
        """The segments that have changed since they were read, and cannot be opened now."""
        found = []
        for segment in self.segments:
            if not is_unchanged(segment, self.cursors.get(segment.name)):
                reason = _why_unreadable(segment)
                if reason:
                    found.append(Unreadable(segment.name, reason))
        return found

    def _unread(self, segment: Segment) -> int:
        cursor = self.cursors.get(segment.name)
        if cursor is None:
            return segment.size
        if segment.is_compressed:
            return 0 if is_unchanged(segment, cursor) else segment.size
        return max(0, segment.size - cursor.offset)


def take_backlog(connection: sqlite3.Connection, log_directory: Path) -> Backlog:
    """Look at the log and at the cursors. Raises OSError if the log cannot be listed."""
    listing = list_log(log_directory)
    return Backlog(
        listing.segments, all_cursors(connection), listing.unread, unplaced_events(connection)
    )


def _why_unreadable(segment: Segment) -> str:
    try:
        with closing(open_stream(segment.path)) as stream:
            read_chunk(stream, 1)
    except FileNotFoundError:
        # Gone since the directory was read.
        return ""
    except (OSError, TelemetryError) as error:
        return str(error)
    return ""


def _first_unread(segment: Segment, cursor: Optional[Cursor]) -> Optional[datetime]:
    """Return when the first line after the cursor was written; None if it is still incomplete.

    Not before the segment was last read, whatever time the event itself names.
    """
    # Imported here: most segments of most logs have been read.
    from indexer.log.decode import Ordinals, decode_lines
    from indexer.log.lines import read_lines
    from telemetry_core.line import MAX_LINE_BYTES

    offset, read_at = (cursor.offset, cursor.changed) if cursor else (0, 0)
    try:
        with closing(open_stream(segment.path)) as stream:
            skip(stream, offset)
            line = next(read_lines(stream, offset, MAX_LINE_BYTES), None)
        if line is None:
            return None
        (entry,) = decode_lines([line], Ordinals(lambda: ()))
        if entry.event is not None:
            return max(parse_time(entry.event.time), _moment(read_at))
    except (OSError, TelemetryError, ValueError):
        # Out of reach, damaged, or an event without a time: the file's own change will do.
        pass
    return _moment(segment.changed)


def _moment(nanoseconds: int) -> datetime:
    return moment_of(nanoseconds / 1e9)
