"""Read the alert events of the log as rows: what rules fired, and what was delivered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

import orjson

from telemetry_core.event import ALERT_SUBJECT

# Every subject of alerts begins with it; `/` is the character after `.`.
_RANGE = (ALERT_SUBJECT, ALERT_SUBJECT + "/")


class AlertEvent(NamedTuple):
    """One alert event."""

    type: str
    subject: str
    time: str
    event_id: str
    data: dict[str, Any]


def alert_events(connection: sqlite3.Connection) -> Iterator[AlertEvent]:
    """Yield every alert event, by subject."""
    rows = connection.execute(
        "SELECT type, run_id, timestamp, event_id, payload_json FROM run_events"
        " WHERE run_id >= ? AND run_id < ?",
        _RANGE,
    )
    for kind, subject, time, event_id, payload in rows:
        yield AlertEvent(kind, subject, time, event_id, _object(payload))


def alert_events_version(connection: sqlite3.Connection) -> tuple[int, str]:
    """Return what changes whenever there are other alert events."""
    count, last = connection.execute(
        "SELECT count(*), ifnull(max(event_id), '') FROM run_events"
        " WHERE run_id >= ? AND run_id < ?",
        _RANGE,
    ).fetchone()
    return int(count), str(last)


def _object(payload: Optional[str]) -> dict[str, Any]:
    data = orjson.loads(payload) if payload else None
    return data if isinstance(data, dict) else {}
