"""The table `run_events`: insert rows, look rows up, read a run's events in order.

Called inside the transactions of an ingest pass, and by verify. It does not know what an event
means to a run.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from operator import itemgetter
from typing import NamedTuple, Optional

from indexer.store.events.by_type import TYPES, forget_deleted, forget_event, note_events
from indexer.store.events.codec import EVENT_ID, RUN_ID, TYPE, EventRow, StoredEvent, event_of_row
from indexer.store.schema.tables import EVENT_COLUMNS
from telemetry_core.event import RUN_DELIVERED, RUN_DELIVERY_FAILED, RUN_EVENT, Event

_NAMES = ", ".join(EVENT_COLUMNS)
_VALUES = f"({', '.join('?' * len(EVENT_COLUMNS))})"
_INSERT_ONE = f"INSERT INTO run_events ({_NAMES}) VALUES {_VALUES}"
_INSERT = _INSERT_ONE.replace("INSERT", "INSERT OR IGNORE")
# Rows to a statement: more are no quicker, and SQLite takes 999 parameters in its oldest builds.
_AT_ONCE = 50
_INSERT_MANY = f"{_INSERT}{f', {_VALUES}' * (_AT_ONCE - 1)}"


class Inserted(NamedTuple):
    """What an insertion left to be settled."""

    id_taken: list[EventRow]
    """Rows that were not inserted because their ids are taken."""
    read_again: set[str]
    """Runs of which a line may have been read a second time: the cursors prevent it."""
    types: set[str]
    """The types of all the rows."""


class ActivityRow(NamedTuple):
    """What the `run.event`s of one run amount to."""

    run_id: str
    events: int
    first_time: str
    last: tuple[str, str]
    """Time and id of the last of them."""


def insert_events(connection: sqlite3.Connection, rows: list[EventRow]) -> Inserted:
    """Insert the rows whose ids are free."""
    sort_by_run(rows)
    distinct, id_taken, read_again = _without_repeats(rows)
    for start in range(0, len(distinct), _AT_ONCE):
        some = distinct[start : start + _AT_ONCE]
        if len(some) == _AT_ONCE:
            stored = connection.execute(_INSERT_MANY, list(chain.from_iterable(some))).rowcount
        else:
            stored = connection.executemany(_INSERT, some).rowcount
        if stored < len(some):
            missing = rows_not_stored(connection, some)
            id_taken += missing
            if stored + len(missing) < len(some):
                read_again.update(row[RUN_ID] for row in some)
    types = set(map(itemgetter(TYPE), rows))
    if not TYPES.isdisjoint(types):
        _note_inserted(connection, rows, id_taken)
    return Inserted(id_taken, read_again, types)


def _without_repeats(rows: list[EventRow]) -> tuple[list[EventRow], list[EventRow], set[str]]:
    """Return the first row of each id, the others, and the runs with a line that was read twice.

    What repeats within a batch is found here: an insert that SQLite ignores means to look up all
    the rows of its statement.
    """
    # By the ids of events alone, which are hardly ever those of two runs: then look closer.
    lines_of = Counter(map(itemgetter(EVENT_ID), rows))
    if len(lines_of) == len(rows):
        return rows, [], set()
    first: dict[tuple[str, str], EventRow] = {}
    distinct: list[EventRow] = []
    repeats: list[EventRow] = []
    read_again: set[str] = set()
    for row in rows:
        is_alone = lines_of[row[EVENT_ID]] == 1
        known = row if is_alone else first.setdefault((row[RUN_ID], row[EVENT_ID]), row)
        if known is row:
            distinct.append(row)
        elif known == row:
            read_again.add(row[RUN_ID])
        else:
            repeats.append(row)
    return distinct, repeats, read_again


def _note_inserted(
    connection: sqlite3.Connection, rows: list[EventRow], id_taken: list[EventRow]
) -> None:
    """Note those of the rows that are looked for by type, but not those that were not inserted."""
    found = [row for row in rows if row[TYPE] in TYPES]
    if found:
        taken = set(id_taken)
        note_events(connection, (row for row in found if row not in taken))


def insert_event(connection: sqlite3.Connection, row: StoredEvent) -> None:
    """Insert one row whose id is free."""
    connection.execute(_INSERT_ONE, row)
    if row.type in TYPES:
        note_events(connection, [row])


def delete_event(connection: sqlite3.Connection, run_id: str, event_id: str) -> None:
    """Delete one row."""
    connection.execute(
        "DELETE FROM run_events WHERE run_id = ? AND event_id = ?", (run_id, event_id)
    )
    forget_event(connection, run_id, event_id)


def delete_events_of(connection: sqlite3.Connection, files: Iterable[int]) -> None:
    """Delete all rows whose lines are in some segments, by the numbers of these."""
    # In one statement, for no index leads from a segment to its events.
    numbers = ", ".join(map(str, files))
    connection.execute(f"DELETE FROM run_events WHERE file_id IN ({numbers})")
    forget_deleted(connection)


def move_event(connection: sqlite3.Connection, row: StoredEvent) -> None:
    """Set the position of a stored event to that of `row`."""
    connection.execute(
        "UPDATE run_events SET file_id = ?, offset = ?, length = ?"
        " WHERE run_id = ? AND event_id = ?",
        (row.file_id, row.offset, row.length, row.run_id, row.event_id),
    )


def find_event(connection: sqlite3.Connection, run_id: str, event_id: str) -> Optional[StoredEvent]:
    """Return one stored event, or None."""
    row = connection.execute(
        f"SELECT {_NAMES} FROM run_events WHERE run_id = ? AND event_id = ?", (run_id, event_id)
    ).fetchone()
    return None if row is None else StoredEvent(*row)


def rows_not_stored(connection: sqlite3.Connection, rows: list[EventRow]) -> list[EventRow]:
    """Return the rows that the table does not contain exactly as they are."""
    missing: list[EventRow] = []
    sort_by_run(rows)
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        # CROSS: SQLite would otherwise look for each row of the table among the few wanted.
        found = connection.execute(
            f"WITH wanted (run, event) AS (VALUES (?, ?){', (?, ?)' * (len(some) - 1)})"
            f" SELECT {_NAMES} FROM wanted CROSS JOIN run_events"
            " ON run_id = run AND event_id = event",
            [value for row in some for value in row[:2]],
        ).fetchall()
        # Nearly always all are there, in this order: then no row needs a hash.
        if found != some:
            stored = set(found)
            missing += [row for row in some if row not in stored]
    return missing


def changes(connection: sqlite3.Connection, run_id: Optional[str] = None) -> Iterator[Event]:
    """Yield the stored events other than `run.event`, by run and then in fold order.

    Those of one run, or of all.
    """
    rows = connection.execute(
        f"SELECT {_NAMES} FROM run_events"
        f" WHERE type <> '{RUN_EVENT}' AND {_one_or_all(run_id)}"
        " ORDER BY run_id, timestamp, event_id",
        {"run_id": run_id},
    )
    for row in rows:
        yield event_of_row(row)


def activities(
    connection: sqlite3.Connection, run_id: Optional[str] = None
) -> Iterator[ActivityRow]:
    """Yield what the stored `run.event`s of one run, or of each run, amount to, by run."""
    # One look at each row: the times are all of one length, so they sort with an id after them.
    rows = connection.execute(
        "SELECT run_id, count(*), min(timestamp), max(timestamp || event_id) FROM run_events"
        f" WHERE type = '{RUN_EVENT}' AND {_one_or_all(run_id)} GROUP BY run_id ORDER BY run_id",
        {"run_id": run_id},
    )
    for run, events, first, last in rows:
        yield ActivityRow(run, events, first, (last[: len(first)], last[len(first) :]))


def count_receipts(connection: sqlite3.Connection, run_ids: Iterable[str]) -> dict[str, int]:
    """Return how many receipts runs have that their rows do not count as events.

    A delivery that was asked for again is none: its run counts it.
    """
    found: dict[str, int] = {}
    for run_id in run_ids:
        (receipts,) = connection.execute(
            "SELECT count(*) FROM events_by_type WHERE run_id = ? AND type IN (?, ?)",
            (run_id, RUN_DELIVERED, RUN_DELIVERY_FAILED),
        ).fetchone()
        if receipts:
            found[run_id] = receipts
    return found


def has_alternative_ids(connection: sqlite3.Connection, run_ids: Iterable[str]) -> bool:
    """Whether one of the runs may have an event that is stored under an alternative id."""
    pattern = f"*~{'[0-9a-f]' * 16}"
    return any(
        connection.execute(
            "SELECT 1 FROM run_events WHERE run_id = ? AND event_id GLOB ?", (run_id, pattern)
        ).fetchone()
        for run_id in run_ids
    )


def sort_by_run(rows: list[EventRow]) -> None:
    """Sort rows by run, so that what shares a page of the table is looked at in one go.

    A run's own rows nearly always come in the order of their ids already.
    """
    rows.sort(key=itemgetter(RUN_ID))


def _one_or_all(run_id: Optional[str]) -> str:
    return "true" if run_id is None else "run_id = :run_id"
