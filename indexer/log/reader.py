"""Read a segment from its cursor to its end, in portions that carry the next cursor.

It checks whether the segment is still the one that the cursor knows, and says so where it is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO, NamedTuple, Optional

from indexer.log.cursor import Cursor, new_cursor
from indexer.log.lines import CHUNK_BYTES, Block, Line, read_blocks, read_lines
from indexer.log.segments import GUARD_BYTES, HEAD_BYTES, Segment, fingerprint
from indexer.log.streams import StreamBroken, StreamUnfinished, open_stream, read_chunk, skip


class Portion(NamedTuple):
    """Some consecutive lines of a segment, and the cursor after them."""

    block: Block
    cursor: Cursor


class FileChanged(Exception):
    """The segment is not the one that the cursor knows: it shrank, was replaced or restored."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name} {what}")
        self.name = name


def read_portions(file: Segment, cursor: Optional[Cursor]) -> Iterator[Portion]:
    """Yield what comes after the cursor; the last portion is empty and ends the segment.

    Raises FileChanged before the first portion, and OSError or StreamUnsupported.
    """
    start = cursor or new_cursor(file)
    head = read_head(file)
    if start.head_hash and fingerprint(head[: start.head_length]) != start.head_hash:
        raise FileChanged(file.name, "begins with other bytes than before")
    with closing(open_stream(file.path)) as stream:
        _move_to_cursor(stream, file, start)
        yield from _portions(stream, file, start, head)


def lines_before(file: Segment, offset: int) -> Iterator[Line]:
    """Yield the lines of a segment that end at or before `offset`."""
    if offset:
        with closing(open_stream(file.path)) as stream:
            yield from read_lines(stream, 0, offset)


def read_head(file: Segment) -> bytes:
    """Return the bytes by which a segment is recognised. Raises OSError or StreamUnsupported."""
    with closing(open_stream(file.path)) as stream:
        return _read_exactly(stream, HEAD_BYTES)


def _move_to_cursor(stream: BinaryIO, file: Segment, cursor: Cursor) -> None:
    """Move `stream` to the cursor, if the bytes before it are those that were read."""
    try:
        is_as_long = skip(stream, cursor.offset - cursor.guard_length)
    except (StreamBroken, StreamUnfinished):
        # It could be decoded up to the cursor when that was set, so it is another file.
        is_as_long = False
    if not is_as_long:
        raise FileChanged(file.name, f"ends before offset {cursor.offset}")
    guard = _read_exactly(stream, cursor.guard_length)
    if cursor.guard_hash and fingerprint(guard) != cursor.guard_hash:
        raise FileChanged(file.name, f"has other bytes before offset {cursor.offset}")


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size:
        try:
            chunk = read_chunk(stream, size - len(data))
        except (StreamBroken, StreamUnfinished):
            break
        if not chunk:
            break
        data += chunk
    return data


def _portions(stream: BinaryIO, file: Segment, cursor: Cursor, head: bytes) -> Iterator[Portion]:
    fault = None
    limit = None if file.is_compressed else max(0, file.size - cursor.offset)
    try:
        for block in read_blocks(stream, cursor.offset, limit, CHUNK_BYTES):
            cursor = _after(cursor, head, block)
            yield Portion(block, cursor)
    except (StreamBroken, StreamUnfinished) as error:
        # If it is only unfinished, the rest comes when the segment has grown.
        fault = str(error)
    end = cursor._replace(
        size=file.size, changed=file.changed, device=file.device, inode=file.inode, fault=fault
    )
    yield Portion(Block(cursor.offset, [], cursor.offset), end)


def _after(cursor: Cursor, head: bytes, block: Block) -> Cursor:
    """Return the cursor after `block`."""
    # The byte before a cursor is a newline, and the guard ends with it.
    last = b"" if block.too_long else block.contents[-1][-GUARD_BYTES:]
    guard = (last + b"\n")[-GUARD_BYTES:]
    known_head = head[: block.end]
    return cursor._replace(
        head_length=len(known_head),
        head_hash=fingerprint(known_head),
        guard_length=len(guard),
        guard_hash=fingerprint(guard),
        offset=block.end,
    )
