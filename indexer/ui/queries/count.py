"""Count the runs that a filter lets through, to a thousand, as far as the time allows.

Called by the page of runs, for the sentence above its list.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from indexer.ui.queries.filters import RunFilter, condition_of
from indexer.ui.queries.scan import MOST_RUNS, Scan, run_scan

MOST_COUNTED = 1_000
_COUNT_SECONDS = 0.04


@dataclass(frozen=True)
class Count:
    """How many runs match, as far as they were counted."""

    runs: int
    by_status: dict[str, int]
    is_more: bool
    """Whether there are, or may be, more."""


def count_runs(connection: sqlite3.Connection, runs: RunFilter) -> Count:
    """Count the runs that match, to a thousand."""
    scan = Scan(condition_of(runs))
    found = run_scan(
        connection, scan, "runs.status", MOST_COUNTED + 1, _COUNT_SECONDS, most_runs=MOST_RUNS // 3
    )
    by_status: dict[str, int] = {}
    for (status,) in found.rows[:MOST_COUNTED]:
        by_status[str(status)] = by_status.get(str(status), 0) + 1
    is_more = len(found.rows) > MOST_COUNTED or found.searched_to is not None
    return Count(min(len(found.rows), MOST_COUNTED), by_status, is_more)
