"""Compare the row of every run, and what the projections made, with the stored events.

Called by verify. Each stored event is read once, and each run folded once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Callable, Optional

import orjson

from indexer.ingest.apply import fold_all
from indexer.ingest.foreign import WholeRun
from indexer.ingest.projections.check import differences
from indexer.ingest.run_row import RunRow
from indexer.store.runs import rows_of_runs
from indexer.store.schema.columns import RUN_COLUMNS


class RunComparison:
    """Every run beside its row."""

    def __init__(self, connection: sqlite3.Connection, differ: Callable[[str], None]) -> None:
        """`differ` is told each difference, in words."""
        self._connection = connection
        self._differ = differ
        self.runs = 0
        """How many runs the stored events fold to."""

    def compare(self) -> None:
        """Compare rows of runs, and then spans, claims and metrics."""
        try:
            for difference in differences(self._connection, self._compared()):
                self._differ(difference)
        except orjson.JSONDecodeError as error:
            # What a pass stored is JSON, so this event was told as damaged already.
            self._differ(f"an event in the database cannot be folded, it is not JSON: {error}")

    def _compared(self) -> Iterator[WholeRun]:
        """Yield every run, its row compared; whatever else has a row has no events."""
        stored = rows_of_runs(self._connection)
        row = next(stored, None)
        for folded, whole in fold_all(self._connection):
            yield whole
            if folded is None:
                continue
            self.runs += 1
            while row is not None and row[0] < whole.run_id:
                row = self._without_events(row, stored)
            if row is None or row[0] != whole.run_id:
                self._differ(f"run {whole.run_id} has events but no row")
                continue
            self._compare_row(row, folded)
            row = next(stored, None)
        while row is not None:
            row = self._without_events(row, stored)

    def _without_events(
        self, row: tuple[Any, ...], stored: Iterator[tuple[Any, ...]]
    ) -> Optional[tuple[Any, ...]]:
        """Tell of a row that no event stands for; return the row after it."""
        self._differ(f"run {row[0]} has a row but no events")
        return next(stored, None)

    def _compare_row(self, row: tuple[Any, ...], folded: RunRow) -> None:
        # The fold gives all columns, in their order.
        if row == tuple(folded.values()):
            return
        names = [name for name, value in zip(RUN_COLUMNS, row) if folded[name] != value]
        self._differ(f"run {row[0]} folds to another {', '.join(names)}")
