"""Read what of the log was not shipped yet, as far as the database has it.

It opens segments for reading only. A segment is known by its first line; one that changed under
its cursor is shipped again from its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Callable, NamedTuple, Optional
from zlib import crc32

from indexer.fleet.shipping.question import KnownEnd
from indexer.fleet.shipping.segment_id import SegmentId
from indexer.fleet.shipping.state import ShippedSegment, ShippingState
from indexer.log.cursor import Cursor, is_unchanged, new_cursor
from indexer.log.decode import Ordinals
from indexer.log.lines import Block, read_lines
from indexer.log.reader import FileChanged, Portion, lines_before, read_portions
from indexer.log.segments import Segment, fingerprint
from indexer.log.streams import StreamBroken, StreamUnfinished, StreamUnsupported, open_stream, skip

FindEnd = Callable[[int], Optional[KnownEnd]]
"""Returns how far the centre has a segment without a gap, by its number."""


class Unshipped(NamedTuple):
    """Consecutive lines of one segment, and the cursor after them."""

    segment: SegmentId
    block: Block
    after: ShippedSegment
    ordinals: Ordinals


def unshipped(
    segments: list[Segment],
    indexed: Mapping[str, Cursor],
    state: ShippingState,
    find_end: FindEnd,
) -> Iterator[Unshipped]:
    """Yield what was not shipped, up to where the database's cursors are.

    A segment that cannot be read is passed over: `telemetry status` reports it.
    """
    for segment in segments:
        limit = indexed[segment.name].offset if segment.name in indexed else 0
        known = state.segments.get(segment.name)
        if not limit or (known is not None and is_unchanged(segment, known.cursor)):
            continue
        try:
            yield from _of_segment(segment, limit, state, find_end)
        except (OSError, StreamUnsupported, StreamBroken, StreamUnfinished):
            continue


def segment_number(segment: Segment) -> Optional[int]:
    """Return the number of a segment; None while it has no complete line. Raises OSError."""
    with closing(open_stream(segment.path)) as stream:
        first = next(read_lines(stream, 0), None)
    return None if first is None else int(fingerprint(first.content), 16)


def _of_segment(
    segment: Segment, limit: int, state: ShippingState, find_end: FindEnd
) -> Iterator[Unshipped]:
    known = state.segments.get(segment.name)
    if known is not None:
        try:
            yield from _from(segment, limit, known)
        except FileChanged:
            # Another file under this name, or the same one rewritten: from the beginning.
            pass
        else:
            return
    number = segment_number(segment)
    if number is None:
        return
    nothing = ShippedSegment(number, new_cursor(segment))
    start = nothing if known is not None else _start(segment, nothing, state, find_end)
    try:
        yield from _from(segment, limit, start)
    except FileChanged:
        yield from _from(segment, limit, nothing)


def _start(
    segment: Segment, nothing: ShippedSegment, state: ShippingState, find_end: FindEnd
) -> ShippedSegment:
    """Return from where to ship a segment that has no cursor under its name."""
    for one in state.segments.values():
        if one.segment == nothing.segment:
            # It was renamed: the reading finds out whether it is the same up to the cursor.
            cursor = one.cursor._replace(name=segment.name, size=0, changed=0)
            return one._replace(cursor=cursor)
    end = find_end(nothing.segment)
    if end is None or not _ends_like(segment, end):
        return nothing
    return nothing._replace(cursor=nothing.cursor._replace(offset=end.end))


def _ends_like(segment: Segment, known: KnownEnd) -> bool:
    """Whether a segment has the centre's last line where the centre has it."""
    with closing(open_stream(segment.path)) as stream:
        if not skip(stream, known.offset):
            return False
        line = next(read_lines(stream, known.offset), None)
    return line is not None and (line.end, crc32(line.content)) == (known.end, known.crc)


def _from(segment: Segment, limit: int, known: ShippedSegment) -> Iterator[Unshipped]:
    start = known.cursor
    name = SegmentId(known.segment, segment.name)
    ordinals = Ordinals(lambda: lines_before(segment, start.offset))
    for portion in read_portions(segment, start):
        part = _cut(portion, limit)
        if part is None:
            return
        yield Unshipped(name, part.block, ShippedSegment(known.segment, part.cursor), ordinals)
        if part is not portion:
            return


def _cut(portion: Portion, limit: int) -> Optional[Portion]:
    """Return what of a portion the database has; None if it has nothing of it."""
    if portion.block.end <= limit:
        return portion
    block, _ = portion.block.cut(limit)
    if not block.length:
        return None
    # Neither its size nor its guard are those of this place: the next reading checks the head.
    cursor = portion.cursor._replace(
        offset=block.end, guard_length=0, guard_hash="", size=0, changed=0
    )
    return Portion(block, cursor)
