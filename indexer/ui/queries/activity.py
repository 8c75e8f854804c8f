"""Query what running runs are doing now: their innermost open span.

Called for the lists of runs and for the overview. Few spans are open at a time, and an index has
them alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

_OPEN = """SELECT run_id, span_id, parent_span_id, name, kind, start_time
FROM run_spans WHERE run_id IN ({marks}) AND end_time IS NULL
ORDER BY start_time, span_id LIMIT 1000"""


class Activity(NamedTuple):
    """An open span."""

    name: str
    kind: str
    start_time: str
    depth: int
    """How many open spans it is inside of, itself included."""


def activities_of(connection: sqlite3.Connection, run_ids: Sequence[str]) -> dict[str, Activity]:
    """Return what each of some runs is doing, as far as its spans say."""
    rows = connection.execute(_OPEN.format(marks=", ".join("?" * len(run_ids))), list(run_ids))
    depths: dict[tuple[str, str], int] = {}
    found: dict[str, Activity] = {}
    for run_id, span_id, parent, name, kind, start in rows:
        # A parent began before its children, so that its depth is known by now.
        depth = depths[run_id, span_id] = depths.get((run_id, parent), 0) + 1
        if run_id not in found or depth >= found[run_id].depth:
            found[run_id] = Activity(str(name), str(kind), str(start), depth)
    return found
