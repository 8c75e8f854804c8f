"""Record how far one segment was read, and by what the segment is recognised.

Stored in the database. A cursor only ever points to the byte after a newline.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple, Optional

from indexer.log.names import is_segment_name
from indexer.log.segments import Segment, changed_at, file_identity


class Cursor(NamedTuple):
    """Where the reading of one segment continues, and by what the segment is recognised."""

    name: str
    device: int
    inode: int
    size: int
    """Bytes on disk when it was last read to its end."""
    changed: int
    """When it had last been changed then: a segment of the same size may have other bytes."""
    head_length: int
    head_hash: str
    guard_length: int
    guard_hash: str
    offset: int
    """Plain bytes read, all of them accounted for."""
    duplicate: int = 0
    fault: Optional[str] = None


def new_cursor(file: Segment) -> Cursor:
    """Return the cursor of a segment of which nothing was read."""
    return Cursor(file.name, file.device, file.inode, 0, 0, 0, "", 0, "", 0)


def is_unchanged(file: Segment, cursor: Optional[Cursor]) -> bool:
    """Whether nothing can have come since the cursor was set, as far as the directory shows."""
    return (
        cursor is not None
        and (cursor.size, cursor.changed) == (file.size, file.changed)
        and (cursor.device, cursor.inode) == (file.device, file.inode)
    )


def is_log_unchanged(directory: Path, cursors: Mapping[str, Cursor]) -> bool:
    """Whether the log has exactly the segments of the cursors, and each is unchanged.

    What a listing and `is_unchanged` say of a thousand segments, in half the time: a daemon asks
    once a second, and every reading command once. False also on errors, which a listing reports.
    """
    found = 0
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                cursor = cursors.get(entry.name)
                if cursor is not None:
                    if not _is_as_read(os.stat(entry.path), cursor):
                        return False
                    found += 1
                elif is_segment_name(entry.name):
                    return False
    except OSError:
        return False
    return found == len(cursors)


def _is_as_read(status: os.stat_result, cursor: Cursor) -> bool:
    return (
        status.st_size == cursor.size
        and changed_at(status) == cursor.changed
        and file_identity(status) == (cursor.device, cursor.inode)
        and S_ISREG(status.st_mode)
    )
