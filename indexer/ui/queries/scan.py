"""Scan runs newest first, as far back as the time allows.

Called by the queries that filter or sum up runs. No filter has an index of its own: the newest
runs are looked through in growing pieces until there are enough or the time is up, and the
answer says how far back it reaches.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

from indexer.ui.queries.filters import Condition, Place
from indexer.ui.readers import Deadline

_FIRST_PIECE = 500
_LARGEST_PIECE = 4_000
"""So many rows at a time, for the deadline is looked at in between."""
MOST_RUNS = 120_000
"""So many runs are looked through for one answer, however fast the machine is."""


class Scanned(NamedTuple):
    """What a scan found."""

    rows: list[Any]
    searched_to: Optional[Place]
    """Up to where it looked; None if it looked at everything or found enough."""


class Scan(NamedTuple):
    """Which runs are looked through, from where and in which direction."""

    condition: Condition
    start: Optional[Place] = None
    backwards: bool = False
    """From `start` towards newer runs, oldest first."""

    @property
    def _order(self) -> str:
        return "ASC" if self.backwards else "DESC"

    def boundary(self, start: Optional[Place]) -> tuple[str, list[Any]]:
        """Return the query for a place further on. It reads nothing but the index."""
        where, values = self._bounds(start)
        return (
            "SELECT runs.start_time, runs.run_id"
            " FROM agent_runs AS runs INDEXED BY agent_runs_by_start"
            f" WHERE {where} ORDER BY runs.start_time {self._order}, runs.run_id {self._order}"
            " LIMIT 1 OFFSET ?"
        ), values

    def piece(
        self, columns: str, start: Optional[Place], end: Optional[Place]
    ) -> tuple[str, list[Any]]:
        """Return the query for the rows between two places, the end included."""
        where, values = self.window(start, end)
        return (
            f"SELECT {columns} FROM agent_runs AS runs INDEXED BY agent_runs_by_start WHERE {where}"
            f" ORDER BY runs.start_time {self._order}, runs.run_id {self._order} LIMIT ?"
        ), values

    def window(self, start: Optional[Place], end: Optional[Place]) -> tuple[str, list[Any]]:
        """Return the condition on the runs between two places, the end included."""
        where, values = self._bounds(start, end)
        return " AND ".join([where, *self.condition.parts]), [*values, *self.condition.values]

    def _bounds(self, start: Optional[Place], end: Optional[Place] = None) -> tuple[str, list[Any]]:
        """Return the part of the condition that the index on start times answers.

        One bound on each side: of several, SQLite might seek by the one that is farther away.
        """
        oldest, newest = (start, end) if self.backwards else (end, start)
        parts: list[str] = ["1"]
        values: list[Any] = []
        if oldest is not None:
            sign = ">" if self.backwards else ">="
            parts.append(f"(runs.start_time, runs.run_id) {sign} (?, ?)")
            values += oldest
        elif self.condition.since is not None:
            parts.append("runs.start_time >= ?")
            values.append(self.condition.since)
        if newest is not None:
            sign = "<=" if self.backwards else "<"
            parts.append(f"(runs.start_time, runs.run_id) {sign} (?, ?)")
            values += newest
        elif self.condition.until is not None:
            parts.append("runs.start_time < ?")
            values.append(self.condition.until)
        return " AND ".join(parts), values


def run_scan(
    connection: sqlite3.Connection,
    scan: Scan,
    columns: str,
    limit: int,
    seconds: float,
    *,
    most_runs: int = MOST_RUNS,
) -> Scanned:
    """Return at most `limit` rows of `columns` of `agent_runs AS runs`.

    It stops after `seconds`, and after `most_runs` that it looked at.
    """
    rows: list[Any] = []
    deadline, place = Deadline(seconds), scan.start
    try:
        for end, looked in pieces(connection, scan):
            sql, values = scan.piece(columns, place, end)
            rows += connection.execute(sql, (*values, limit - len(rows))).fetchall()
            place = end
            if end is None or len(rows) >= limit:
                return Scanned(rows, None)
            if looked >= most_runs or deadline.is_over():
                return Scanned(rows, place)
    except sqlite3.OperationalError as error:
        # The connection's own deadline, which is longer than ours.
        if str(error) != "interrupted":
            raise
    return Scanned(rows, place or Place("", ""))


def pieces(connection: sqlite3.Connection, scan: Scan) -> Iterator[tuple[Optional[Place], int]]:
    """Yield where each piece ends, None for the last, and how many runs there are up to there."""
    size, looked, place = _FIRST_PIECE, 0, scan.start
    while True:
        sql, values = scan.boundary(place)
        row = connection.execute(sql, (*values, size)).fetchone()
        place = None if row is None else Place(*row)
        looked += size
        yield place, looked
        if place is None:
            return
        size = min(size * 2, _LARGEST_PIECE)
