"""A cursor: how far one segment was read, and by what the segment is recognised.

Read by the reader, kept by the store. A cursor only ever stands after a newline.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from indexer.log.segments import Segment


class Cursor(NamedTuple):
    """Where reading of one file goes on, and by what the file is recognised."""

    name: str
    device: int
    inode: int
    size: int
    """Bytes on disk when it was last read to its end."""
    changed: int
    """When it had last been changed then: a file of the same size may have other bytes."""
    head_length: int
    head_hash: str
    guard_length: int
    guard_hash: str
    offset: int
    """Plain bytes read, all of them accounted for."""
    duplicate: int = 0
    fault: Optional[str] = None


def new_cursor(file: Segment) -> Cursor:
    """Return the cursor of a file of which nothing was read."""
    return Cursor(file.name, file.device, file.inode, 0, 0, 0, "", 0, "", 0)
