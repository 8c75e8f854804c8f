"""Read and write the table of metrics, one row for each value of each `run.metrics`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional


class MetricRow(NamedTuple):
    """A row of `run_metrics`."""

    run_id: str
    name: str
    time: str
    event_id: str
    step: Optional[float]
    value: float


def save_metrics(connection: sqlite3.Connection, rows: Iterable[MetricRow]) -> None:
    """Write rows over what stood there."""
    connection.executemany("INSERT OR REPLACE INTO run_metrics VALUES (?, ?, ?, ?, ?, ?)", rows)


def delete_metrics(connection: sqlite3.Connection, run_id: str) -> None:
    """Delete the metrics of a run."""
    connection.execute("DELETE FROM run_metrics WHERE run_id = ?", (run_id,))


def metrics_of(connection: sqlite3.Connection, run_id: str) -> Iterator[MetricRow]:
    """Yield the metrics of a run, by name and then in the order they were measured in."""
    for row in connection.execute(
        "SELECT * FROM run_metrics WHERE run_id = ? ORDER BY name, time, event_id", (run_id,)
    ):
        yield MetricRow._make(row)
