"""Ship one round: the events of some batches, the rows of the runs they touch, lines, the cursor.

Everything before the cursor moves may be repeated, with other boundaries and in another order:
keys make it the same rows. So whatever fails is simply shipped again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Callable, NamedTuple, Optional

from indexer.fleet.node import Identity, node_of
from indexer.fleet.purge import purge_segments
from indexer.fleet.schema.tables import EVENTS, LINES, NODES
from indexer.fleet.shipping.batch import Batch, Touched
from indexer.fleet.shipping.content import Withholding
from indexer.fleet.shipping.lines import unshipped
from indexer.fleet.shipping.question import KnownEnd, gapless_ends
from indexer.fleet.shipping.runs import RunShipping, merge
from indexer.fleet.shipping.state import ShippedSegment, ShippingState
from indexer.fleet.wire.client import FleetClient
from indexer.fleet.wire.native import Columns
from indexer.log.cursor import Cursor
from indexer.log.segments import Segment, list_segments
from indexer.store.connection import open_reader
from indexer.store.cursors import all_cursors
from indexer.system.base import Base
from telemetry_core import __version__
from telemetry_core.clock import CLOCK

BATCHES = 4
"""Batches in a round: a run with events of several hosts is folded once a round."""


class Round(NamedTuple):
    """What one round came to."""

    lines: int
    """How many were shipped."""
    is_last: bool
    """Whether nothing was left to ship when the log was read."""


class _Portion(NamedTuple):
    """A batch, and the cursors behind it."""

    batch: Batch
    after: dict[str, ShippedSegment]


class Shipping:
    """Ships one base's log to one centre. Used by one thread."""

    def __init__(
        self,
        base: Base,
        client: FleetClient,
        state: ShippingState,
        withholding: Withholding,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.state = state
        self._base = base
        self._client = client
        self._withholding = withholding
        self._should_stop = should_stop
        self._identity: Optional[Identity] = None
        self._ends: Optional[dict[int, KnownEnd]] = None

    def ship_round(self) -> Round:
        """Ship what is new, at most `BATCHES` batches of it; nothing is sent if nothing is.

        Raises FleetError, DatabaseUnusable or OSError; then the cursor is where it was.
        """
        with closing(open_reader(self._base.database_path)) as reader:
            return self._ship_round(reader)

    def _ship_round(self, reader: sqlite3.Connection) -> Round:
        # Of one database: its rows know of all that its cursors have passed.
        indexed = all_cursors(reader)
        segments = list_segments(self._base.log_directory)
        touched: dict[str, Touched] = {}
        after: dict[str, ShippedSegment] = {}
        lines: list[Columns] = []
        is_last = True
        for number, portion in enumerate(self._portions(segments, indexed)):
            if number == BATCHES or (number and self._should_stop()):
                is_last = False
                break
            if portion.batch.line_count and self._is_another_node():
                return Round(0, is_last=False)
            receipts = portion.batch.redacted.keys() - self.state.redactions
            if receipts:
                self._redact(portion.batch.redacted)
                return Round(0, is_last=False)
            # A host with little to say is one of many; who has more is not to wait for them.
            self._client.gathers = number == 0 and not portion.batch.is_full
            self._client.insert_columns(EVENTS, portion.batch.events)
            merge(touched, portion.batch.touched)
            after.update(portion.after)
            if portion.batch.line_count:
                lines.append(portion.batch.lines)
        if lines:
            runs = RunShipping(self._base, self._client, self._node(), self._withholding)
            runs.ship(touched, reader)
            # Lines come last: wherever the centre has one, it has all that was made of it, so
            # that a host that lost its cursors may go on behind it.
            for some in lines:
                self._client.insert_columns(LINES, some)
            self._sign(indexed, {**self.state.segments, **after})
        self._move(segments, after)
        return Round(sum(len(some[0]) for some in lines), is_last)

    def _portions(
        self, segments: list[Segment], indexed: Mapping[str, Cursor]
    ) -> Iterator[_Portion]:
        """Yield what is new in batches; the last may have no lines, but cursors."""
        batch, after = Batch(self._node, self._withholding), {}
        self._ends = None
        for part in unshipped(segments, indexed, self.state, self._find_end):
            if part.block.length:
                batch.add(part.segment, part.block, part.ordinals)
            after[part.segment.name] = part.after
            if batch.is_full:
                yield _Portion(batch, after)
                batch, after = Batch(self._node, self._withholding), {}
        if after:
            yield _Portion(batch, after)

    def _node(self) -> str:
        """Return our name in the fleet; asked of the centre before the first line is sent."""
        if self._identity is None:
            self._identity = node_of(self._base, self._client, self.state.shipped)
        return self._identity.node

    def _is_another_node(self) -> bool:
        """Whether the cursors are of another node, as on a clone; then they are forgotten."""
        if self.state.node in ("", self._node()):
            self.state.node = self._node()
            return False
        self.state.node, self.state.segments = self._node(), {}
        self.state.save()
        return True

    def _find_end(self, segment: int) -> Optional[KnownEnd]:
        """Ask the centre how far it has a segment that has no cursor here."""
        if self.state.is_known:
            return gapless_ends(self._client, self._node(), segment).get(segment)
        if self._ends is None:
            # Our cursors are gone: one question for all.
            self._ends = gapless_ends(self._client, self._node())
        return self._ends.get(segment)

    def _redact(self, redacted: Mapping[str, list[str]]) -> None:
        """Delete in the centre what was rewritten here, and have it shipped again."""
        names = {name for some in redacted.values() for name in some}
        known = {one.segment for name, one in self.state.segments.items() if name in names}
        purged = purge_segments(self._client, self._node(), names, known)
        self.state.segments = {
            name: one
            for name, one in self.state.segments.items()
            if name not in names and one.segment not in purged
        }
        self.state.redactions |= redacted.keys()
        self.state.save()

    def _sign(self, indexed: Mapping[str, Cursor], shipped: Mapping[str, ShippedSegment]) -> None:
        """Say in the centre's list of nodes that this one has shipped, and how much waits."""
        self.state.shipped = max(self.state.shipped + 1, time.time_ns())
        waiting = sum(
            max(0, cursor.offset - (shipped[name].cursor.offset if name in shipped else 0))
            for name, cursor in indexed.items()
        )
        node, host = self._node(), self._identity.host if self._identity else ""
        now = CLOCK.tick().time
        self._client.insert(NODES, [(node, now, self.state.shipped, host, __version__, waiting)])

    def _move(self, segments: list[Segment], after: Mapping[str, ShippedSegment]) -> None:
        """Move the cursors, and forget the segments that are gone."""
        if not after:
            return
        names = {one.name for one in segments}
        moved = {**self.state.segments, **after}
        self.state.segments = {name: one for name, one in moved.items() if name in names}
        self.state.save()
