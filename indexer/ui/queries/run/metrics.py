"""Query the metrics of a run, as series of numbers over steps.

Called by the page of a run.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple, Optional

MOST_SERIES = 60
_MOST_POINTS = 200_000


class Point(NamedTuple):
    """One value."""

    x: float
    """The step, or seconds from the first value where there are no steps."""
    y: float


@dataclass(frozen=True)
class Series:
    """One metric of a run."""

    name: str
    points: list[Point]
    has_steps: bool
    is_cut: bool

    @property
    def last(self) -> Optional[float]:
        """The last value."""
        return self.points[-1].y if self.points else None


def series_of(connection: sqlite3.Connection, run_id: str) -> list[Series]:
    """Return the series of a run, by name."""
    names = connection.execute(
        "SELECT name FROM run_metrics WHERE run_id = ? GROUP BY name LIMIT ?", (run_id, MOST_SERIES)
    ).fetchall()
    share = _MOST_POINTS // max(1, len(names))
    return [_series(connection, run_id, str(name), share) for (name,) in names]


def count_of_series(connection: sqlite3.Connection, run_id: str) -> int:
    """Return how many series a run has."""
    sql = "SELECT count(DISTINCT name) FROM run_metrics WHERE run_id = ?"
    return int(connection.execute(sql, (run_id,)).fetchone()[0])


def _series(connection: sqlite3.Connection, run_id: str, name: str, limit: int) -> Series:
    rows = connection.execute(
        "SELECT step, value, 86400 * (julianday(time) - julianday(first_value(time)"
        " OVER (ORDER BY time, event_id))) FROM run_metrics WHERE run_id = ? AND name = ?"
        " ORDER BY time, event_id LIMIT ?",
        (run_id, name, limit + 1),
    ).fetchall()
    has_steps = bool(rows) and all(step is not None for step, _, _ in rows)
    points = [Point(step if has_steps else since or 0.0, value) for step, value, since in rows]
    # Steps may come out of order: those of several workers, or after a restart from a checkpoint.
    points.sort(key=lambda point: point.x)
    return Series(name, points[:limit], has_steps, len(rows) > limit)
