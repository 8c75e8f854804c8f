"""Find which missing segment is back under another name, as after compression.

Rows and cursor then follow the segment, and nothing is read again. Only names and the first bytes
are compared here; the reading that follows checks the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional

from indexer.log.cursor import Cursor
from indexer.log.names import parse_segment_name
from indexer.log.reader import read_head
from indexer.log.segments import Segment, fingerprint
from indexer.log.streams import StreamUnsupported


def find_renamed(gone: Iterable[Cursor], new: Iterable[Segment]) -> dict[str, Segment]:
    """Return, by the name in each cursor, its segment's new file where there is exactly one.

    A new file must have the same stem and begin with the same bytes: under any other name it may
    be an edited copy.
    """
    by_stem: dict[str, list[_Candidate]] = {}
    for segment in new:
        by_stem.setdefault(parse_segment_name(segment.name).stem, []).append(_Candidate(segment))
    renamed: dict[str, Segment] = {}
    claims: dict[str, int] = {}
    for cursor in gone:
        candidates = by_stem.get(parse_segment_name(cursor.name).stem, [])
        found = [one.segment for one in candidates if cursor.head_hash and one.begins_like(cursor)]
        if len(found) == 1:
            renamed[cursor.name] = found[0]
            claims[found[0].name] = claims.get(found[0].name, 0) + 1
    return {old: segment for old, segment in renamed.items() if claims[segment.name] == 1}


def was_replaced(segment: Segment, cursor: Cursor) -> bool:
    """Whether a segment's name now belongs to another file, as far as a glance can say.

    As when a day was compressed and a late event created its plain segment again. What this does
    not see, the reading does: it only finds no new name for the old file.
    """
    is_same = (segment.device, segment.inode) == (cursor.device, cursor.inode)
    if not cursor.head_hash or (
        is_same and (segment.is_compressed or segment.size >= cursor.offset)
    ):
        return False
    return _Candidate(segment).begins_like(cursor) is False


def preserves_order(known: Mapping[str, Cursor], renamed: Mapping[str, Segment]) -> bool:
    """Whether the new names change nothing about which of two segments owns a repeated event.

    That is the first of them by name.
    """
    if not any(cursor.duplicate for cursor in known.values()):
        return True
    names = [renamed[name].name if name in renamed else name for name in sorted(known)]
    return names == sorted(names)


class _Candidate:
    """A file that may be a renamed segment; its first bytes are read once."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._head: Optional[bytes] = None
        self._is_readable = True

    def begins_like(self, cursor: Cursor) -> Optional[bool]:
        """Whether it begins with the bytes that the cursor knows; None if it cannot be read."""
        if self._head is None and self._is_readable:
            try:
                self._head = read_head(self.segment)
            except (OSError, StreamUnsupported):
                # The next reader reports why.
                self._is_readable = False
        if self._head is None:
            return None
        return fingerprint(self._head[: cursor.head_length]) == cursor.head_hash
