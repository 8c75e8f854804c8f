"""Project events that were just stored into `run_spans`.

Called by the ingest pass and by prune, inside their transactions. The row of a native span is
added to where that can be done; runs of foreign records, and those of which an event was stored
otherwise than before, are translated again from all their events.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING, Optional

from indexer.ingest.foreign import WholeRun
from indexer.semantics.event_types import FOREIGN_EVENTS, SPAN_EVENTS
from indexer.store.events.table import changes
from indexer.store.spans import table as spans
from telemetry_core.event import Event

if TYPE_CHECKING:
    from indexer.ingest.projections.settle import Settlement
    from indexer.semantics.native import Halves

TYPES = SPAN_EVENTS | FOREIGN_EVENTS
"""The types of events that spans are made of."""


class SpanProjection:
    """What becomes of spans in one transaction: fed run by run, then settled."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._settlement: Optional[Settlement] = None

    def replace(self, run: WholeRun) -> None:
        """Replace the spans of a run by those of all its events."""
        # Imported here, as below: a pass over runs without spans needs none of it.
        from indexer.ingest.projections.span_rows import row_of

        rows = (row_of(run.run_id, one) for one in run.translated.spans)
        spans.delete_spans(self._connection, run.run_id)
        spans.save_spans(self._connection, rows)
        self._changes().replaced(run.run_id, run.translated)

    def add(self, run_id: str, events: Iterable[Event]) -> None:
        """Add new native events to the spans of a run."""
        from indexer.ingest.projections.span_rows import halves_of, row_of
        from indexer.semantics.native import span_facts
        from indexer.semantics.translate import add_half

        new: dict[str, Halves] = {}
        for event in events:
            add_half(new, event)
        known = spans.load_spans(self._connection, run_id, new)
        merged: dict[str, Halves] = {}
        for span_id, halves in new.items():
            both = _both(halves_of(known[span_id]), halves) if span_id in known else halves
            if both is None:
                self.replace(WholeRun(run_id, changes(self._connection, run_id)))
                return
            merged[span_id] = both
        facts = [span_facts(span_id, one) for span_id, one in merged.items()]
        spans.save_spans(self._connection, (row_of(run_id, one) for one in facts))
        self._changes().added(run_id)

    def settle(self) -> None:
        """Have usage count once, wherever runs changed."""
        if self._settlement is not None:
            self._settlement.settle()

    def _changes(self) -> Settlement:
        from indexer.ingest.projections.settle import Settlement

        if self._settlement is None:
            self._settlement = Settlement(self._connection)
        return self._settlement


def _both(known: Halves, new: Halves) -> Optional[Halves]:
    """Return two halves put together; None where both have the same half."""
    if (known.started and new.started) or (known.ended and new.ended):
        return None
    return known._replace(started=known.started or new.started, ended=known.ended or new.ended)
