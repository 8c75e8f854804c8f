"""Project events into the tables other than `agent_runs`.

The ingest pass feeds them: each names the types of events it is made of, and gets the new ones
of each run, or all of a run's events where the run is folded again. A run without such events
costs a look at the types of its new events.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Callable, Protocol

from indexer.ingest.foreign import WholeRun
from indexer.ingest.projections import metrics, spans
from indexer.semantics.event_types import FOREIGN_EVENTS, SPAN_EVENTS
from indexer.store.events.codec import RUN_ID, EventRow, event_of_row
from indexer.store.events.deduplication import StoreResult
from indexer.store.spans.table import has_foreign_events
from telemetry_core.event import Event


class Projection(Protocol):
    """One or more tables made of events, within one transaction."""

    def replace(self, run: WholeRun) -> None:
        """Replace the rows of a run by those of all its events."""

    def add(self, run_id: str, events: Iterable[Event]) -> None:
        """Add new events of a run to its rows."""

    def settle(self) -> None:
        """Write what depends on several runs; called once, when all have been fed."""


PROJECTIONS: tuple[tuple[frozenset[str], Callable[[sqlite3.Connection], Projection]], ...] = (
    (spans.TYPES, spans.SpanProjection),
    (metrics.TYPES, metrics.MetricProjection),
)
"""Every projection, with the types of events it is made of."""

TYPES = frozenset(kind for types, _ in PROJECTIONS for kind in types)
"""The types of events that any projection is made of."""


class Projector:
    """All projections in one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._projections = [(types, make(connection)) for types, make in PROJECTIONS]

    def replace(self, run: WholeRun) -> None:
        """Replace all rows of a run by those of all its events."""
        for _, projection in self._projections:
            projection.replace(run)

    def add(self, rows: Iterable[EventRow]) -> None:
        """Add new events of `TYPES`, of runs that are not folded again."""
        by_run: dict[str, list[Event]] = {}
        for row in rows:
            by_run.setdefault(row[RUN_ID], []).append(event_of_row(row))
        for run_id, events in by_run.items():
            for types, projection in self._projections:
                own = [event for event in events if event.type in types]
                if own:
                    projection.add(run_id, own)

    def settle(self) -> None:
        """Write what depends on several runs."""
        for _, projection in self._projections:
            projection.settle()


def runs_to_fold_again(connection: sqlite3.Connection, stored: StoreResult) -> set[str]:
    """Return the runs that foreign events came for, or native spans to foreign events."""
    again = {row[RUN_ID] for row in stored.new_of(FOREIGN_EVENTS)}
    with_spans = {row[RUN_ID] for row in stored.new_of(SPAN_EVENTS)}
    again |= {run_id for run_id in with_spans - again if has_foreign_events(connection, run_id)}
    return again
