"""Read what the log says of targets: where each starts, and who asked for a retry.

A target starts when the forwarder first sees it: it gets the runs that change from then on. A
backfill moves its start back. Both are events, so that a rebuild keeps them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple, Optional

from indexer.outbox.delivery_state import RECEIPT_PAYLOAD, RECEIPTS_SQL, json_object
from telemetry_core.event import (
    API_TARGET,
    FORWARD_BACKFILL_REQUESTED,
    FORWARD_RETRIED,
    FORWARD_STARTED,
    FORWARD_SUBJECT,
)
from telemetry_core.timestamp import canonical_time


class _TargetEvent(NamedTuple):
    event_id: str
    type: str
    timestamp: str
    target: str
    since: Optional[str]


def target_starts(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the time from which on each target gets runs, by name; empty text for all runs."""
    starts: dict[str, str] = {}
    for event in _target_events(connection):
        if event.type == FORWARD_STARTED:
            start: Optional[str] = event.timestamp if event.since is None else event.since
        elif event.type == FORWARD_BACKFILL_REQUESTED:
            start = event.since
        else:
            continue
        if start is not None:
            starts[event.target] = min(start, starts.get(event.target, start))
    return starts


def last_retry_event(connection: sqlite3.Connection, target: str) -> str:
    """Return the id of the last event that asks to try a target at once; empty if none does."""
    ids = (
        (event.timestamp, event.event_id)
        for event in _target_events(connection)
        if event.type == FORWARD_RETRIED and event.target == target
    )
    return max(ids, default=("", ""))[1]


def has_deliveries(connection: sqlite3.Connection, target: str) -> bool:
    """Return whether something was sent to a target, or waits for it."""
    queued = connection.execute("SELECT 1 FROM outbox WHERE target = ? LIMIT 1", (target,))
    if queued.fetchone() is not None:
        return True
    return any(
        json_object(row[RECEIPT_PAYLOAD]).get("target", API_TARGET) == target
        for row in connection.execute(RECEIPTS_SQL)
    )


def _target_events(connection: sqlite3.Connection) -> Iterator[_TargetEvent]:
    rows = connection.execute(
        "SELECT event_id, type, timestamp, payload_json FROM run_events WHERE run_id = ?",
        (FORWARD_SUBJECT,),
    )
    for event_id, kind, timestamp, payload in rows:
        data = json_object(payload)
        target, since = data.get("target"), data.get("since")
        if isinstance(target, str):
            yield _TargetEvent(event_id, kind, timestamp, target, _since(since))


def _since(value: object) -> Optional[str]:
    """Return a time in canonical form; empty for all time, None for what is not a time."""
    if value == "":
        return ""
    try:
        return canonical_time(value) if isinstance(value, str) else None
    except ValueError:
        return None
