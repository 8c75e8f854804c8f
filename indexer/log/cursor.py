"""Record how far one segment was read, and by what the segment is recognised.

Stored in the database. A cursor only ever points to the byte after a newline.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from indexer.log.segments import Segment


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
