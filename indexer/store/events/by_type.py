"""The table `events_by_type`: where the few events are that are looked for by their type.

Receipts of deliveries, and alerts that agents raised. An index of `run_events` that holds these
alone would be asked for every row that is inserted there; here only their own rows cost anything.
Called by whatever inserts and deletes rows of `run_events`, in the same transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from indexer.store.events.codec import EVENT_ID, RUN_ID, TIMESTAMP, TYPE, EventRow
from telemetry_core.event import (
    RUN_ALERT,
    RUN_DELIVERED,
    RUN_DELIVERY_FAILED,
    RUN_DELIVERY_RETRIED,
)

TYPES = frozenset((RUN_ALERT, RUN_DELIVERED, RUN_DELIVERY_FAILED, RUN_DELIVERY_RETRIED))
"""The types of the events that have a row here."""

_IS_OF_THEM = f"type IN ({', '.join(repr(kind) for kind in sorted(TYPES))})"


def note_events(connection: sqlite3.Connection, rows: Iterable[EventRow]) -> None:
    """Note those of the events that were just inserted that are of such a type."""
    noted = [
        (row[RUN_ID], row[EVENT_ID], row[TYPE], row[TIMESTAMP])
        for row in rows
        if row[TYPE] in TYPES
    ]
    if noted:
        connection.executemany("INSERT OR IGNORE INTO events_by_type VALUES (?, ?, ?, ?)", noted)


def forget_event(connection: sqlite3.Connection, run_id: str, event_id: str) -> None:
    """Drop an event that was deleted."""
    connection.execute(
        "DELETE FROM events_by_type WHERE run_id = ? AND event_id = ?", (run_id, event_id)
    )


def forget_deleted(connection: sqlite3.Connection) -> None:
    """Drop all events that `run_events` no longer has."""
    connection.execute(
        "DELETE FROM events_by_type WHERE NOT EXISTS (SELECT 1 FROM run_events AS events WHERE"
        " events.run_id = events_by_type.run_id AND events.event_id = events_by_type.event_id)"
    )


def count_differences(connection: sqlite3.Connection) -> int:
    """Return how many rows are missing here, or are not what `run_events` says."""
    same_event = "events.run_id = noted.run_id AND events.event_id = noted.event_id"
    same_values = "events.type = noted.type AND events.timestamp = noted.timestamp"
    # One look at each row of `run_events`, of which few are of these types.
    (missing,) = connection.execute(
        "SELECT count(*) FROM run_events AS events LEFT JOIN events_by_type AS noted"
        f" ON {same_event} WHERE events.{_IS_OF_THEM} AND noted.run_id IS NULL"
    ).fetchone()
    (unlike,) = connection.execute(
        "SELECT count(*) FROM events_by_type AS noted WHERE NOT EXISTS (SELECT 1 FROM run_events"
        f" AS events WHERE {same_event} AND {same_values} AND events.{_IS_OF_THEM})"
    ).fetchone()
    return int(missing) + int(unlike)
