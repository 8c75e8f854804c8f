"""The events table: every event stored once, with the place in the log where it stands.

Called by the ingest pass, inside its transactions. It decides what is new and what repeats,
in a way that does not depend on what came first. It knows nothing of runs.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Optional

import orjson

from indexer.cursors import DUPLICATE, INDEXED
from indexer.log_files import file_id
from indexer.schema import EVENT_COLUMNS
from indexer.tail import Line
from telemetry_core.event import RUN_EVENT, Event

_INSERT = (
    f"INSERT OR IGNORE INTO run_events ({', '.join(EVENT_COLUMNS)})"
    f" VALUES ({', '.join('?' * len(EVENT_COLUMNS))})"
)
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
        """All that the event says, without where it stands; comparable."""
        return (self.timestamp, self.type, self.source, self.event_type,
                self.payload_json or "", self.extra_json or "")  # fmt: skip


class Placed(NamedTuple):
    """What became of some events of one file."""

    new: list[Event]
    outcomes: list[str]
    """For each event given, in order: indexed or duplicate."""
    refold: set[str]
    """Runs whose stored events changed, beyond the new ones."""


def to_row(event: Event, file: int, line: Line) -> StoredEvent:
    """Return an event as it is stored."""
    data, extra = event.data, event.extensions
    if event.type == RUN_EVENT and isinstance(data, dict):
        event_type, payload = data.get("event_type"), data.get("payload")
        if not data.keys() <= _EVENT_KEYS:
            rest = {name: value for name, value in data.items() if name not in _EVENT_KEYS}
            extra = {**(extra or {}), "data": rest}
    else:
        event_type, payload = None, data
    if event_type is None:
        event_type = event.type
    return StoredEvent(
        event.run_id, event.id, event_type if isinstance(event_type, str) else _json(event_type),
        event.time, event.type, event.source,
        None if payload is None else _json(payload),
        None if extra is None else _json(extra),
        file, line.offset, line.length,
    )  # fmt: skip


def to_event(row: StoredEvent) -> Event:
    """Return a stored event as the fold wants it."""
    payload = None if row.payload_json is None else orjson.loads(row.payload_json)
    extra = None if row.extra_json is None else orjson.loads(row.extra_json)
    data = {"event_type": row.event_type, "payload": payload} if row.type == RUN_EVENT else payload
    return Event(row.event_id, row.source, row.type, row.run_id, row.timestamp, data, extra)


def place_events(
    connection: sqlite3.Connection, name: str, events: list[tuple[Event, Line]]
) -> Placed:
    """Store the events of one file that are new; tell those from the ones that repeat."""
    file = file_id(name)
    rows = [to_row(event, file, line) for event, line in events]
    connection.execute("SAVEPOINT place_events")
    inserted = connection.executemany(_INSERT, rows).rowcount
    if inserted == len(rows):
        connection.execute("RELEASE place_events")
        return Placed([event for event, _ in events], [INDEXED] * len(rows), set())
    connection.execute("ROLLBACK TO place_events")
    connection.execute("RELEASE place_events")
    settler = _Settler(connection, name)
    for row in rows:
        settler.place(row)
    return Placed(settler.new, list(settler.outcomes.values()), settler.refold)


def events_of_run(connection: sqlite3.Connection, run_id: str) -> Iterator[Event]:
    """Yield all stored events of a run, in the order of the fold."""
    rows = connection.execute(
        f"SELECT {', '.join(EVENT_COLUMNS)} FROM run_events"
        " WHERE run_id = ? ORDER BY timestamp, event_id",
        (run_id,),
    )
    for row in rows:
        yield to_event(StoredEvent(*row))


class _Settler:
    """Settles events one by one, where at least one of them is already known.

    An event that stands in the log several times belongs to the first of its places, by file
    name and offset, whichever was read first. Two different events that claim one id are both
    kept: the one with the smaller content under the id, the other under an id made of both.
    """

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection = connection
        self._file = file_id(name)
        self._names = {
            row[0]: row[1] for row in connection.execute("SELECT file_id, name FROM log_files")
        }
        # On the first lines of a file its cursor is not there yet.
        self._names[self._file] = name
        self.new: list[Event] = []
        self.outcomes: dict[int, str] = {}
        """What each line placed so far counts as, by its offset."""
        self.refold: set[str] = set()

    def place(self, row: StoredEvent) -> None:
        """Store one event of the file, or find out that it is known."""
        self.outcomes[row.offset] = self._settle(row)

    def _settle(self, row: StoredEvent) -> str:
        known = find_event(self._connection, row.run_id, row.event_id)
        if known is None:
            self._connection.execute(_INSERT, row)
            self.new.append(to_event(row))
            return INDEXED
        if known.content == row.content:
            return self._settle_same(known, row)
        if row.content < known.content:
            self._delete(known)
            self._connection.execute(_INSERT, row)
            self.refold.add(row.run_id)
            # It goes to the id of the other; that may be taken in its turn.
            if self._settle(known) == DUPLICATE:
                self._count_as_duplicate(known)
            return INDEXED
        return self._settle(row._replace(event_id=id_of_other(row)))

    def _settle_same(self, known: StoredEvent, row: StoredEvent) -> str:
        if (known.file_id, known.offset) == (row.file_id, row.offset):
            return INDEXED
        known_name, name = self._names.get(known.file_id), self._names.get(row.file_id)
        if name is None:
            return DUPLICATE
        if known_name is not None and (known_name, known.offset) < (name, row.offset):
            return DUPLICATE
        self._connection.execute(
            "UPDATE run_events SET file_id = ?, offset = ?, length = ?"
            " WHERE run_id = ? AND event_id = ?",
            (row.file_id, row.offset, row.length, row.run_id, row.event_id),
        )
        self._count_as_duplicate(known)
        return INDEXED

    def _count_as_duplicate(self, row: StoredEvent) -> None:
        """Count a line as duplicate that was counted as indexed before."""
        if row.file_id == self._file and row.offset in self.outcomes:
            self.outcomes[row.offset] = DUPLICATE
            return
        # Where the file is gone, so are its counts.
        self._connection.execute(
            "UPDATE log_files SET indexed = indexed - 1, indexed_bytes = indexed_bytes - ?,"
            " duplicate = duplicate + 1, duplicate_bytes = duplicate_bytes + ?"
            " WHERE file_id = ?",
            (row.length, row.length, row.file_id),
        )

    def _delete(self, row: StoredEvent) -> None:
        self._connection.execute(
            "DELETE FROM run_events WHERE run_id = ? AND event_id = ?", (row.run_id, row.event_id)
        )


def find_event(connection: sqlite3.Connection, run_id: str, event_id: str) -> Optional[StoredEvent]:
    """Return one stored event, or None."""
    row = connection.execute(
        f"SELECT {', '.join(EVENT_COLUMNS)} FROM run_events WHERE run_id = ? AND event_id = ?",
        (run_id, event_id),
    ).fetchone()
    return None if row is None else StoredEvent(*row)


def id_of_other(row: StoredEvent) -> str:
    """Return the id under which an event is kept whose own id another event has."""
    digest = hashlib.blake2b("\n".join(row.content).encode(), digest_size=8).hexdigest()
    return f"{row.event_id}~{digest}"


def has_other_under_an_id(connection: sqlite3.Connection, run_ids: Iterable[str]) -> bool:
    """Whether one of the runs may have an event that is kept under an id made of two."""
    pattern = f"*~{'[0-9a-f]' * 16}"
    return any(
        connection.execute(
            "SELECT 1 FROM run_events WHERE run_id = ? AND event_id GLOB ?", (run_id, pattern)
        ).fetchone()
        for run_id in run_ids
    )


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def rows_of_events(connection: sqlite3.Connection) -> Iterable[StoredEvent]:
    """Yield every stored event, by run and then in the order of the fold."""
    rows = connection.execute(
        f"SELECT {', '.join(EVENT_COLUMNS)} FROM run_events ORDER BY run_id, timestamp, event_id"
    )
    return (StoredEvent(*row) for row in rows)
