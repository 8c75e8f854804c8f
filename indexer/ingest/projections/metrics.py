"""Project events that were just stored into `run_metrics`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from indexer.ingest.foreign import WholeRun
from indexer.ingest.values import is_number
from indexer.store.metrics import MetricRow, delete_metrics, save_metrics
from telemetry_core.event import RUN_METRICS, Event

TYPES = frozenset((RUN_METRICS,))
"""The types of events that metrics are made of."""


class MetricProjection:
    """What becomes of metrics in one transaction. A value is a row of its own: none waits."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def replace(self, run: WholeRun) -> None:
        """Replace the metrics of a run by those of all its events."""
        delete_metrics(self._connection, run.run_id)
        self.add(run.run_id, run.events)

    def add(
        self,
        run_id: str,  # noqa: ARG002  # each event names its run; the projections are called alike
        events: Iterable[Event],
    ) -> None:
        """Add the metrics of new events of a run."""
        save_metrics(self._connection, (row for event in events for row in metric_rows(event)))

    def settle(self) -> None:
        """Nothing of a metric depends on another."""


def metric_rows(event: Event) -> Iterator[MetricRow]:
    """Yield the rows of one event; none for one that is no `run.metrics`."""
    if event.type != RUN_METRICS or not isinstance(event.data, dict):
        return
    metrics, given = event.data.get("metrics"), event.data.get("step")
    step = given if isinstance(given, (int, float)) and is_number(given) else None
    for name, value in metrics.items() if isinstance(metrics, dict) else ():
        if is_number(value):
            yield MetricRow(
                event.run_id,
                name,
                event.time,
                event.id,
                step,
                float(value),
            )
