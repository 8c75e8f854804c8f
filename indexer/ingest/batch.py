"""Decoded lines of one or several segments, to be committed together.

It has a bounded size, and knows nothing of the database.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from indexer.ingest.limits import MAX_BATCH_BYTES
from indexer.ingest.parse import decode_block
from indexer.log.cursor import Cursor
from indexer.log.decode import Ordinals
from indexer.log.reader import Portion
from indexer.log.segments import file_id
from indexer.store.cursors import Tally
from indexer.store.events.codec import EventRow
from indexer.store.quarantine import Fault

MAX_LINES = 25_000
"""The more lines of a backlog are stored at once, the more of them share a page of the database;
this many take about 20 MB."""


class Part(NamedTuple):
    """What a batch has of one segment, except for the rows."""

    before: Optional[Cursor]
    """The cursor that the reading began from, None for a segment that had none."""
    after: Cursor
    tally: Tally
    faults: list[Fault]
    ordinals: Ordinals


class Batch:
    """Lines read and not committed yet."""

    def __init__(self) -> None:
        self.rows: list[EventRow] = []
        self.parts: dict[str, Part] = {}
        """By segment name, in the order of reading."""
        self.bytes = 0
        """Plain bytes of the lines."""

    @property
    def is_full(self) -> bool:
        """Whether it is time to commit."""
        return len(self.rows) >= MAX_LINES or self.bytes >= MAX_BATCH_BYTES

    def add(self, before: Optional[Cursor], portion: Portion, ordinals: Ordinals) -> None:
        """Decode the next portion of a segment; `before` is the cursor that it began from."""
        name = portion.cursor.name
        rows, faults = decode_block(portion.block, file_id(name), ordinals)
        self.rows += rows
        self.bytes += portion.block.length
        bad_bytes = sum(fault.length for fault in faults)
        tally = Tally(len(rows), portion.block.length - bad_bytes, len(faults), bad_bytes)
        known = self.parts.get(name)
        if known is not None:
            before, faults = known.before, known.faults + faults
            tally = Tally(*map(sum, zip(known.tally, tally)))
        self.parts[name] = Part(before, portion.cursor, tally, faults, ordinals)
