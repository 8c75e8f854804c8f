"""Turn lines of the log into columns of the centre, and note which runs they touch.

A batch of a bounded size. It knows neither the database nor the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate
from typing import Any, Callable, Optional
from zlib import crc32

import orjson

from indexer.fleet.schema.tables import EVENTS, LINES, Table
from indexer.fleet.shipping.content import Withholding
from indexer.fleet.shipping.events import event_columns
from indexer.fleet.shipping.segment_id import SegmentId
from indexer.fleet.wire.native import Columns
from indexer.ingest.parse import decode_block
from indexer.ingest.projections.metrics import metric_rows
from indexer.log.decode import Ordinals
from indexer.log.lines import Block
from indexer.log.segments import file_id
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

_NOTED = frozenset((*SPAN_EVENTS, RUN_METRICS, LOG_REDACTED))
"""The types of events that say more than which run they touch."""


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
        self._lines = _empty(LINES)
        self._events = _empty(EVENTS)
        self.touched: dict[str, Touched] = {}
        self.redacted: dict[str, list[str]] = {}
        """Names of segments that were rewritten, by the id of the receipt that says so."""
        self.bytes = 0

    @property
    def lines(self) -> Columns:
        """The lines, by columns."""
        return self._lines

    @property
    def events(self) -> Columns:
        """The events, by columns."""
        return self._events

    @property
    def line_count(self) -> int:
        """How many lines it has."""
        return len(self._lines[0])

    @property
    def is_full(self) -> bool:
        """Whether it is time to send it."""
        return self.line_count >= MAX_LINES or self.bytes >= MAX_BYTES

    def add(self, segment: SegmentId, block: Block, ordinals: Ordinals) -> None:
        """Add consecutive lines of a segment."""
        node = self._node()
        _extend(self._lines, _line_columns(block, node, segment, self._withholding))
        self.bytes += block.length
        rows, _ = decode_block(block, file_id(segment.name), ordinals)
        if rows:
            _extend(self._events, event_columns(rows, node, segment, self._withholding))
            self._touch(rows, segment.day)

    def _touch(self, rows: Sequence[EventRow], day: date) -> None:
        for run_id in dict.fromkeys(row[RUN_ID] for row in rows):
            touched = self.touched.setdefault(run_id, Touched(day))
            touched.day = max(touched.day, day)
        for row in rows:
            if row[TYPE] in _NOTED:
                self._note(row, self.touched[row[RUN_ID]])

    def _note(self, row: EventRow, touched: Touched) -> None:
        if row[TYPE] == RUN_METRICS:
            touched.metrics += metric_rows(event_of_row(StoredEvent._make(row)))
        elif row[TYPE] == LOG_REDACTED:
            self.redacted[row[EVENT_ID]] = _names_in(row[PAYLOAD])
        else:
            span_id = span_id_of(orjson.loads(row[PAYLOAD]) if row[PAYLOAD] else None)
            if span_id is not None:
                touched.span_ids.add(span_id)


def _line_columns(block: Block, node: str, segment: SegmentId, withholding: Withholding) -> Columns:
    lengths = [len(content) + 1 for content in block.contents]
    if block.too_long:
        # Its content is only its beginning.
        lengths = [block.length]
    offsets = list(accumulate(lengths[:-1], initial=block.offset))
    sums = list(map(crc32, block.contents))
    shipped = withholding.lines(block.contents)
    count = len(block.contents)
    names = ([value] * count for value in (node, segment.number, segment.name, segment.day))
    return [*names, offsets, lengths, sums, shipped]


def _empty(table: Table) -> list[list[Any]]:
    return [[] for _ in table.sent]


def _extend(columns: list[list[Any]], more: Columns) -> None:
    for values, others in zip(columns, more):
        values.extend(others)


def _names_in(payload: Optional[str]) -> list[str]:
    data = orjson.loads(payload) if payload else {}
    names = data.get("segments") if isinstance(data, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
