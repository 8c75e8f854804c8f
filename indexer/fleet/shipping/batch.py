"""Turn lines of the log into rows of the centre, and note which runs they touch.

A batch of a bounded size. It knows neither the database nor the network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Callable, NamedTuple, Optional
from zlib import crc32

import orjson

from indexer.fleet.shipping.content import Withholding
from indexer.fleet.wire.rowbinary import Row
from indexer.ingest.parse import decode_block
from indexer.ingest.projections.metrics import metric_rows
from indexer.log.decode import Ordinals
from indexer.log.lines import Block
from indexer.log.names import parse_segment_name
from indexer.log.segments import file_id, fingerprint
from indexer.retention.redact import LOG_REDACTED
from indexer.semantics.event_types import SPAN_EVENTS
from indexer.semantics.native import span_id_of
from indexer.store.events.codec import (
    EVENT_ID,
    PAYLOAD,
    RUN_ID,
    TYPE,
    EventRow,
    StoredEvent,
    event_of_row,
)
from indexer.store.metrics import MetricRow
from telemetry_core.event import RUN_METRICS

MAX_LINES = 10_000
MAX_BYTES = 4 * 1024 * 1024

NO_DAY = date(2149, 6, 6)
"""The day of a segment whose name has none: the last that the centre can hold, so that its rows
do not expire at once."""


class SegmentId(NamedTuple):
    """A segment as the centre knows it."""

    number: int
    """A hash of its first line, which survives renaming and compression."""
    name: str

    @property
    def day(self) -> date:
        """The day that its name says: a key must say the same each time."""
        return _day_of(self.name)


@lru_cache(maxsize=64)
def _day_of(name: str) -> date:
    return parse_segment_name(name).day or NO_DAY


@dataclass
class Touched:
    """What a batch has of one run."""

    day: date
    """The last day of the segments that its events are in."""
    span_ids: set[str] = field(default_factory=set)
    metrics: list[MetricRow] = field(default_factory=list)


class Batch:
    """Lines and events to be sent together."""

    def __init__(self, node: Callable[[], str], withholding: Withholding) -> None:
        """`node` gives the name of the node, and is called when there is a line."""
        self._node = node
        self._withholding = withholding
        self.lines: list[Row] = []
        self.events: list[Row] = []
        self.touched: dict[str, Touched] = {}
        self.redacted: dict[str, list[str]] = {}
        """Names of segments that were rewritten, by the id of the receipt that says so."""
        self.bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to send it."""
        return len(self.lines) >= MAX_LINES or self.bytes >= MAX_BYTES

    def add(self, segment: SegmentId, block: Block, ordinals: Ordinals) -> None:
        """Add consecutive lines of a segment."""
        node, day = self._node(), segment.day
        for line in block.lines():
            shipped = self._withholding.line(line.content)
            self.lines.append(
                (
                    node,
                    segment.number,
                    segment.name,
                    day,
                    line.offset,
                    line.length,
                    crc32(line.content),
                    shipped,
                )
            )
        self.bytes += block.length
        rows, _ = decode_block(block, file_id(segment.name), ordinals)
        for row in rows:
            self.events.append(event_row(row, node, segment, self._withholding))
            self._touch(row, day)

    def _touch(self, row: EventRow, day: date) -> None:
        touched = self.touched.get(row[RUN_ID])
        if touched is None:
            touched = self.touched[row[RUN_ID]] = Touched(day)
        touched.day = max(touched.day, day)
        kind = row[TYPE]
        if kind in SPAN_EVENTS:
            span_id = span_id_of(orjson.loads(row[PAYLOAD]) if row[PAYLOAD] else None)
            if span_id is not None:
                touched.span_ids.add(span_id)
        elif kind == RUN_METRICS:
            touched.metrics += metric_rows(event_of_row(StoredEvent._make(row)))
        elif kind == LOG_REDACTED:
            self.redacted[row[EVENT_ID]] = _names_in(row[PAYLOAD])


def event_row(row: EventRow, node: str, segment: SegmentId, withholding: Withholding) -> Row:
    """Return an event as it is sent.

    What says that two events are the same is made of all that an event says, shipped or not.
    """
    stored = StoredEvent._make(row)
    run_id, event_id, event_type, timestamp, kind, source, payload, extra, *place = row
    content = content_of(stored)
    mark = fingerprint(kind.encode()) if stored.is_known_by_id else content
    if not withholding.ships_content:
        payload, extra = withholding.event(stored)
    said = (event_type, timestamp, kind, source, payload, extra)
    return (run_id, event_id, content, mark, *said, *place, node, segment.number, segment.day)


def content_of(event: StoredEvent) -> str:
    """Return the hash of all that an event says, by the rule for two contents of one id."""
    return fingerprint("\n".join(event.content).encode())


def _names_in(payload: Optional[str]) -> list[str]:
    data = orjson.loads(payload) if payload else {}
    names = data.get("segments") if isinstance(data, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
