"""Query a page of a run's events, searched and filtered, and where they are in the log.

Called by the page of a run. The last ones come first from the database and are shown in order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

MOST_EVENTS = 200
_MOST_PAYLOAD = 4_000


class Event(NamedTuple):
    """One event; a long payload is cut."""

    event_id: str
    event_type: Any
    type: str
    timestamp: str
    source: str
    payload: Optional[str]
    extra: Optional[str]
    size: int
    """The characters of the payload before it was cut."""
    segment: Optional[str]
    offset: int
    length: int

    @property
    def name(self) -> str:
        """What people call it: the agent's own type, else ours."""
        return str(self.event_type or self.type)


@dataclass(frozen=True)
class EventPage:
    """Some events of a run, in order."""

    events: list[Event]
    earlier: str
    """From where the page before goes on, empty on the first."""
    later: str
    types: list[tuple[str, int]]
    """All types with their numbers, the most frequent first."""


_COLUMNS = f"""events.event_id, events.event_type, events.type, events.timestamp, events.source,
  substr(events.payload_json, 1, {_MOST_PAYLOAD}), events.extra_json,
  ifnull(length(events.payload_json), 0), files.name, events.offset, events.length"""
_FROM = (
    "FROM run_events AS events LEFT JOIN log_files AS files ON files.file_id = events.file_id"
    " WHERE events.run_id = ?"
)


@dataclass(frozen=True)
class EventFilter:
    """Which events of a run are asked for."""

    text: str = ""
    kind: str = ""
    before: str = ""
    """The place of an event, its time and id, before which to look."""
    after: str = ""


def events_of(connection: sqlite3.Connection, run_id: str, wanted: EventFilter) -> EventPage:
    """Return the last events of a run that match, or those before or after a place."""
    where, values = _condition(wanted)
    before, after = wanted.before, wanted.after
    place = (after or before).partition(" ")
    if place[0]:
        where += f" AND (events.timestamp, events.event_id) {'>' if after else '<'} (?, ?)"
        values += [place[0], place[2]]
    order = "ASC" if after else "DESC"
    rows = connection.execute(
        f"SELECT {_COLUMNS} {_FROM}{where}"
        f" ORDER BY events.timestamp {order}, events.event_id {order} LIMIT ?",
        (run_id, *values, MOST_EVENTS + 1),
    ).fetchall()
    events = [Event(*row) for row in rows[:MOST_EVENTS]]
    has_more = len(rows) > MOST_EVENTS
    if not after:
        events.reverse()
    return EventPage(
        events,
        _place(events[0]) if events and (has_more if not after else True) else "",
        _place(events[-1]) if events and (has_more if after else bool(before)) else "",
        _types(connection, run_id),
    )


def event_of(connection: sqlite3.Connection, run_id: str, event_id: str) -> Optional[str]:
    """Return the whole payload of an event; None if there is none."""
    row = connection.execute(
        "SELECT payload_json FROM run_events WHERE run_id = ? AND event_id = ?", (run_id, event_id)
    ).fetchone()
    return None if row is None else str(row[0] or "")


def _condition(wanted: EventFilter) -> tuple[str, list[Any]]:
    where, values = "", []
    if wanted.kind:
        where += " AND ifnull(events.event_type, events.type) = ?"
        values.append(wanted.kind)
    for word in wanted.text.split():
        escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        where += (
            " AND (events.payload_json LIKE ? ESCAPE '\\' OR events.event_type LIKE ? ESCAPE '\\')"
        )
        values += [f"%{escaped}%"] * 2
    return where, values


def _types(connection: sqlite3.Connection, run_id: str) -> list[tuple[str, int]]:
    rows: Sequence[tuple[str, int]] = connection.execute(
        "SELECT ifnull(event_type, type), count(*) FROM run_events WHERE run_id = ?"
        " GROUP BY 1 ORDER BY 2 DESC LIMIT 100",
        (run_id,),
    ).fetchall()
    return [(str(name), number) for name, number in rows]


def _place(event: Event) -> str:
    return f"{event.timestamp} {event.event_id}"
