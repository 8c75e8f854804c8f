"""The moves: which log file that went came back under another name, as when it is compressed.

Called by the ingest pass, so that rows and cursor go along and nothing is read again. It looks
at names and at how files begin; the reading that follows looks at the rest.
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
    """Return for each cursor's name the new file that begins like its file and is its only heir.

    Only a name of the same stem is looked at: a file under any other name may be an edited copy.
    """
    heirs: dict[str, list[Cursor]] = {}
    files = {file.name: file for file in new}
    moves: dict[str, Segment] = {}
    for cursor in gone:
        found = [file for file in files.values() if _is_heir(file, cursor)]
        if len(found) == 1:
            moves[cursor.name] = found[0]
            heirs.setdefault(found[0].name, []).append(cursor)
    return {old: file for old, file in moves.items() if len(heirs[file.name]) == 1}


def was_replaced(file: Segment, cursor: Cursor) -> bool:
    """Whether a file's name has gone over to another file, as far as can be told at a glance.

    So it is where a day was compressed and a late event made its plain file anew. What this does
    not see, the reading does: it only finds no heir for it.
    """
    is_same = (file.device, file.inode) == (cursor.device, cursor.inode)
    if not cursor.head_hash or (is_same and (file.is_compressed or file.size >= cursor.offset)):
        return False
    return _begins_like(file, cursor) is False


def preserves_order(known: Mapping[str, Cursor], moves: Mapping[str, Segment]) -> bool:
    """Whether the moves change nothing about which of two files has an event that both hold.

    That is the first of them by name.
    """
    if not any(cursor.duplicate for cursor in known.values()):
        return True
    names = [moves[name].name if name in moves else name for name in sorted(known)]
    return names == sorted(names)


def _is_heir(file: Segment, cursor: Cursor) -> bool:
    is_related = parse_segment_name(file.name).stem == parse_segment_name(cursor.name).stem
    return bool(cursor.head_hash) and is_related and _begins_like(file, cursor) is True


def _begins_like(file: Segment, cursor: Cursor) -> Optional[bool]:
    """Whether a file begins with what the cursor knows; None if it can't be read."""
    try:
        return fingerprint(read_head(file)[: cursor.head_length]) == cursor.head_hash
    except (OSError, StreamUnsupported):
        # Whoever reads it next says why.
        return None
