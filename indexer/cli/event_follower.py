"""The latest events of the runs that a filter means, and those that arrive after them.

Used by `telemetry tail`. It reads the database only, never the log. What is new is known by how
far each segment was indexed, so events that arrive late, with an old time, are seen as well.
"""

from __future__ import annotations

import sqlite3
from typing import Optional

from indexer.store.run_queries import RunFilter
from telemetry_core.event import WRITER_SUBJECT

_SELECT = (
    "SELECT run_events.*, runs.agent_name FROM run_events"
    " LEFT JOIN agent_runs AS runs ON runs.run_id = run_events.run_id"
)


def latest_events(
    connection: sqlite3.Connection, limit: int, chosen: RunFilter, run_id: Optional[str]
) -> list[sqlite3.Row]:
    """Return the last `limit` events by time, the oldest first.

    They are in the `limit` runs whose last events are the latest: an event of any other run is
    older than `limit` others. So only the events of these runs are looked at.
    """
    where, values = _where(chosen, run_id)
    writers = f"UNION SELECT '{WRITER_SUBJECT}'" if _is_any(chosen, run_id) else ""
    rows = connection.execute(
        f"{_SELECT} WHERE run_events.run_id IN"
        f" (SELECT run_id FROM (SELECT run_id FROM agent_runs WHERE {where}"
        f"   ORDER BY last_event_time DESC LIMIT ?) {writers})"
        " ORDER BY timestamp DESC, event_id DESC LIMIT ?",
        (*values, limit, limit),
    ).fetchall()
    return rows[::-1]


class EventFollower:
    """Knows what it has seen: how far each segment was indexed, and each run's event count."""

    def __init__(self, chosen: RunFilter, run_id: Optional[str]) -> None:
        self._where, self._values = _where(chosen, run_id)
        self._offsets: dict[int, int] = {}
        self._counts: dict[str, int] = {}

    def skip(self, connection: sqlite3.Connection) -> None:
        """Take everything that is there now as seen."""
        self._offsets = _offsets(connection)
        self._counts = self._event_counts(connection)

    def look(self, connection: sqlite3.Connection) -> list[sqlite3.Row]:
        """Return the events that arrived since the last look, by time."""
        # One snapshot, or an event could arrive between the looks at segments and at runs.
        connection.execute("BEGIN")
        try:
            return self._look(connection)
        finally:
            connection.execute("COMMIT")

    def _look(self, connection: sqlite3.Connection) -> list[sqlite3.Row]:
        seen, offsets = self._offsets, _offsets(connection)
        if offsets == seen:
            return []
        before, self._counts = self._counts, self._event_counts(connection)
        rows: list[sqlite3.Row] = []
        for run_id, number in self._counts.items():
            added = number - before.get(run_id, 0)
            if added:
                rows += _new_events(connection, run_id, added, seen)
        # A segment that is read again from its beginning has nothing new until its old end.
        self._offsets = {file: max(end, seen.get(file, 0)) for file, end in offsets.items()}
        return sorted(rows, key=lambda row: (row["timestamp"], row["event_id"]))

    def _event_counts(self, connection: sqlite3.Connection) -> dict[str, int]:
        rows = connection.execute(
            f"SELECT run_id, event_count FROM agent_runs WHERE {self._where}", self._values
        )
        return dict(rows.fetchall())


def _new_events(
    connection: sqlite3.Connection, run_id: str, added: int, seen: dict[int, int]
) -> list[sqlite3.Row]:
    """Return the events of a run from beyond what was seen of each segment.

    Ids rise with time, so new events nearly always have the highest ones. Only where one of
    these is not new are all events of the run looked at.
    """
    query = f"{_SELECT} WHERE run_events.run_id = ?"
    if added > 0:
        rows = connection.execute(f"{query} ORDER BY event_id DESC LIMIT ?", (run_id, added))
        latest = [row for row in rows.fetchall() if _is_new(row, seen)]
        if len(latest) == added:
            return latest
    return [row for row in connection.execute(query, (run_id,)) if _is_new(row, seen)]


def _is_new(row: sqlite3.Row, seen: dict[int, int]) -> bool:
    return bool(row["offset"] >= seen.get(row["file_id"], 0))


def _offsets(connection: sqlite3.Connection) -> dict[int, int]:
    return dict(connection.execute("SELECT file_id, offset FROM log_files").fetchall())


def _where(chosen: RunFilter, run_id: Optional[str]) -> tuple[str, list[str]]:
    where, values = chosen.where()
    return (where, values) if run_id is None else (f"{where} AND run_id = ?", [*values, run_id])


def _is_any(chosen: RunFilter, run_id: Optional[str]) -> bool:
    return chosen == RunFilter() and run_id is None
