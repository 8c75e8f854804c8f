"""The events table: every event stored once, with the place in the log where it stands.

Called by the ingest pass, inside its transactions. It decides what is new and what repeats,
in a way that does not depend on what came first. It knows nothing of runs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple, Optional

import orjson

from indexer.log.segments import fingerprint
from indexer.store.cursors import DUPLICATE, INDEXED, count_as_duplicates
from indexer.store.schema import EVENT_COLUMNS
from telemetry_core.event import RUN_EVENT, Event

_VALUES = f"({', '.join('?' * len(EVENT_COLUMNS))})"
_INSERT = f"INSERT OR IGNORE INTO run_events ({', '.join(EVENT_COLUMNS)}) VALUES {_VALUES}"
# Rows to a statement: more are no quicker, and SQLite takes 999 parameters in its oldest builds.
_AT_ONCE = 50
_INSERT_MANY = f"{_INSERT}{f', {_VALUES}' * (_AT_ONCE - 1)}"
_EVENT_KEYS = frozenset(("event_type", "payload"))

Row = tuple[Any, ...]
"""The fields of a `StoredEvent` as a bare tuple, which is made in a quarter of the time."""


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
        return (
            self.timestamp,
            self.type,
            self.source,
            self.event_type,
            self.payload_json or "",
            self.extra_json or "",
        )


class Placed(NamedTuple):
    """What became of some events."""

    new: list[Row]
    """Those that are in the table now and were not before."""
    duplicates: int
    """How many lines, of these or of earlier ones, turned out to be duplicates."""
    refold: set[str]
    """Runs whose stored events changed, beyond the new ones."""


def to_row(event: Event, file: int, offset: int, length: int) -> Row:
    """Return an event as it is stored, with the place where its line stands."""
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
    return (
        run_id,
        event_id,
        event_type,
        time,
        kind,
        source,
        None if payload is None else _json(payload),
        None if extra is None else _json(extra),
        file,
        offset,
        length,
    )


def to_event(row: StoredEvent) -> Event:
    """Return a stored event as the fold wants it."""
    payload = None if row.payload_json is None else orjson.loads(row.payload_json)
    extra = None if row.extra_json is None else orjson.loads(row.extra_json)
    data = {"event_type": row.event_type, "payload": payload} if row.type == RUN_EVENT else payload
    return Event(row.event_id, row.source, row.type, row.run_id, row.timestamp, data, extra)


def place_events(connection: sqlite3.Connection, rows: list[Row]) -> Placed:
    """Store the events that are new; tell those from the ones that repeat.

    The lines of the rows have to be counted as indexed by now: those that are duplicates are
    counted as such here.
    """
    _sort(rows)
    taken, again = _insert(connection, rows)
    if not taken:
        return Placed(rows, 0, again)
    places = {row[_PLACE] for row in taken}
    settler = _Settler(connection, [row for row in rows if row[_PLACE] not in places])
    for row in taken:
        settler.place(StoredEvent._make(row))
    count_as_duplicates(connection, [(one.file_id, one.length) for one in settler.duplicates])
    return Placed(settler.new, len(settler.duplicates), settler.refold | again)


def _sort(rows: list[Row]) -> None:
    """Sort rows by run: what lies in one page of the table is then looked at in one go.

    A run's own come in the order of their ids already, nearly always.
    """
    rows.sort(key=itemgetter(0))


_PLACE = slice(8, 10)
"""Where in a row its file and its offset are."""


def _insert(connection: sqlite3.Connection, rows: list[Row]) -> tuple[list[Row], set[str]]:
    """Store rows as far as their ids are free.

    Returns the rows whose ids are taken, and the runs of which a line may have been met again:
    cursors see to it that none is.
    """
    taken: list[Row] = []
    again: set[str] = set()
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        if len(some) == _AT_ONCE:
            stored = connection.execute(_INSERT_MANY, list(chain.from_iterable(some))).rowcount
        else:
            stored = connection.executemany(_INSERT, some).rowcount
        if stored < len(some):
            missing = rows_not_stored(connection, some)
            taken += missing
            if stored + len(missing) < len(some):
                again.update(row[0] for row in some)
    return taken, again


def changes(connection: sqlite3.Connection, run_id: Optional[str] = None) -> Iterator[Event]:
    """Yield the stored events but the runs' own, by run and then in the order of the fold.

    Those of one run, or of all.
    """
    rows = connection.execute(
        f"SELECT {', '.join(EVENT_COLUMNS)} FROM run_events"
        f" WHERE type <> '{RUN_EVENT}' AND {_one_or_all(run_id)}"
        " ORDER BY run_id, timestamp, event_id",
        {"run_id": run_id},
    )
    for row in rows:
        yield to_event(StoredEvent(*row))


def activities(
    connection: sqlite3.Connection, run_id: Optional[str] = None
) -> Iterator[tuple[str, tuple[int, str, tuple[str, str]]]]:
    """Yield what the stored `run.event`s of one run, or of each, come to, by run.

    How many there are, when the first was, and the last, with its id.
    """
    # One look at each row: the times are all of one length, so they sort with an id behind them.
    rows = connection.execute(
        "SELECT run_id, count(*), min(timestamp), max(timestamp || event_id) FROM run_events"
        f" WHERE type = '{RUN_EVENT}' AND {_one_or_all(run_id)} GROUP BY run_id ORDER BY run_id",
        {"run_id": run_id},
    )
    for run, events, first, last in rows:
        yield run, (events, first, (last[: len(first)], last[len(first) :]))


def _one_or_all(run_id: Optional[str]) -> str:
    return "true" if run_id is None else "run_id = :run_id"


class _Settler:
    """Settles events one by one whose ids are taken.

    An event that stands in the log several times belongs to the first of its places, by file
    name and offset, whichever was read first. Two different events that claim one id are both
    kept: the one with the smaller content under the id, the other under an id made of both.
    """

    def __init__(self, connection: sqlite3.Connection, new: list[Row]) -> None:
        self._connection = connection
        self._names = {
            row[0]: row[1] for row in connection.execute("SELECT file_id, name FROM log_files")
        }
        self.new = new
        self.duplicates: list[StoredEvent] = []
        self.refold: set[str] = set()

    def place(self, row: StoredEvent) -> None:
        """Store one event, or find out that it is known."""
        if self._settle(row) == DUPLICATE:
            self._note_duplicate(row)

    def _note_duplicate(self, row: StoredEvent) -> None:
        # Where the file is gone, so are its counts.
        if row.file_id in self._names:
            self.duplicates.append(row)

    def _settle(self, row: StoredEvent) -> str:
        known = find_event(self._connection, row.run_id, row.event_id)
        if known is None:
            self._connection.execute(_INSERT, row)
            self.new.append(row)
            return INDEXED
        if known.content == row.content:
            return self._settle_same(known, row)
        if row.content < known.content:
            self._delete(known)
            self._connection.execute(_INSERT, row)
            self.refold.add(row.run_id)
            # It goes to the id of the other; that may be taken in its turn.
            self.place(known)
            return INDEXED
        return self._settle(row._replace(event_id=id_of_other(row)))

    def _settle_same(self, known: StoredEvent, row: StoredEvent) -> str:
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
        self._note_duplicate(known)
        return INDEXED

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


def rows_not_stored(connection: sqlite3.Connection, rows: list[Row]) -> list[Row]:
    """Return those of the rows that do not stand in the table just as they are."""
    missing: list[Row] = []
    _sort(rows)
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        # CROSS: SQLite would else look for each row of the table among the few that are wanted.
        found = connection.execute(
            f"WITH wanted (run, event) AS (VALUES (?, ?){', (?, ?)' * (len(some) - 1)})"
            f" SELECT {', '.join(EVENT_COLUMNS)} FROM wanted CROSS JOIN run_events"
            " ON run_id = run AND event_id = event",
            [value for row in some for value in row[:2]],
        ).fetchall()
        # Nearly always they are all there, and in this order: no row needs a hash.
        if found != some:
            stored = set(found)
            missing += [row for row in some if row not in stored]
    return missing


def id_of_other(row: StoredEvent) -> str:
    """Return the id under which an event is kept whose own id another event has."""
    return f"{row.event_id}~{fingerprint(chr(10).join(row.content).encode())}"


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
