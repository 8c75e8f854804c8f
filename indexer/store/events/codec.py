"""An event as a row of `run_events`, and back.

Pure: it knows the columns of the table and nothing of the database.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import orjson

from indexer.log.segments import fingerprint
from telemetry_core.event import RUN_EVENT, Event

EventRow = tuple[Any, ...]
"""The fields of a `StoredEvent` as a bare tuple, which is made in a quarter of the time."""

# Where in an EventRow each field is.
RUN_ID, EVENT_ID, EVENT_TYPE, TIMESTAMP, TYPE, SOURCE, PAYLOAD, EXTRA, FILE_ID, OFFSET, LENGTH = (
    range(11)
)

_KNOWN_BY_ID = ("session.", "otel.")
_EVENT_KEYS = frozenset(("event_type", "payload"))


class StoredEvent(NamedTuple):
    """A row of `run_events`."""

    run_id: str
    event_id: str
    event_type: str
    timestamp: str
    type: str
    source: str
    payload_json: Optional[str]
    extra_json: Optional[str]
    file_id: int
    offset: int
    length: int

    @property
    def content(self) -> tuple[str, ...]:
        """Everything the event says, without its position in the log; comparable."""
        return (
            self.timestamp,
            self.type,
            self.source,
            self.event_type,
            self.payload_json or "",
            self.extra_json or "",
        )

    @property
    def is_known_by_id(self) -> bool:
        """Whether the id alone decides what is a duplicate.

        It is made of what the source said: copies of one line that were imported or received
        differ, if at all, in what was replaced in them, or in where they stood.
        """
        return is_known_by_id(self.type)

    @property
    def claim(self) -> tuple[Any, ...]:
        """Of different events that have one id, the one with the smallest claim gets it."""
        return (self.is_known_by_id, self.type if self.is_known_by_id else "", self.content)


def is_known_by_id(kind: str) -> bool:
    """Whether of events of this type the id alone decides what is a duplicate."""
    return kind.startswith(_KNOWN_BY_ID)


def row_of_event(event: Event, file: int, offset: int, length: int) -> EventRow:
    """Return an event as it is stored, with the position of its line."""
    event_id, source, kind, run_id, time, payload, extra = event
    event_type = None
    if kind == RUN_EVENT and isinstance(payload, dict):
        data = payload
        event_type, payload = data.get("event_type"), data.get("payload")
        if not data.keys() <= _EVENT_KEYS:
            rest = {name: value for name, value in data.items() if name not in _EVENT_KEYS}
            extra = {**(extra or {}), "data": rest}
    if event_type is None:
        event_type = kind
    elif not isinstance(event_type, str):
        event_type = _json(event_type)
    payload_json = None if payload is None else _json(payload)
    extra_json = None if extra is None else _json(extra)
    position = (file, offset, length)
    return (run_id, event_id, event_type, time, kind, source, payload_json, extra_json, *position)


def event_of_row(row: EventRow) -> Event:
    """Return a stored event as the fold needs it."""
    run_id, event_id, event_type, time, kind, source, payload, extra, _, _, _ = row
    data = None if payload is None else orjson.loads(payload)
    if kind == RUN_EVENT:
        data = {"event_type": event_type, "payload": data}
    extensions = None if extra is None else orjson.loads(extra)
    return Event(event_id, source, kind, run_id, time, data, extensions)


def alternative_id(row: StoredEvent) -> str:
    """Return the id that an event is stored under when a different event has its own id."""
    if row.is_known_by_id:
        return f"{row.event_id}~{fingerprint(row.type.encode())}"
    return f"{row.event_id}~{fingerprint(chr(10).join(row.content).encode())}"


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
