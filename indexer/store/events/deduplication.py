"""Store each event exactly once, whichever copy is read first.

Called inside the transactions of an ingest pass. An event that the log contains several times
belongs to the first of its positions, by segment name and offset. Two different events that
claim one id are both kept: the one with the smaller content under the id, the other under an
alternative id made of both. Of imported and received events the id alone decides: the copy with
the smallest content is stored, and the others are duplicates.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from indexer.store.cursors import (
    DUPLICATE,
    INDEXED,
    NO_FILE,
    add_unplaced_events,
    count_as_duplicates,
)
from indexer.store.events.codec import (
    EVENT_ID,
    FILE_ID,
    LENGTH,
    TYPE,
    EventRow,
    StoredEvent,
    alternative_id,
)
from indexer.store.events.table import (
    delete_event,
    find_event,
    insert_event,
    insert_events,
    move_event,
)

_POSITION = slice(FILE_ID, LENGTH)


class StoreResult(NamedTuple):
    """What became of the events of one batch."""

    new: list[EventRow]
    """Those that are in the table now and were not before."""
    duplicates: int
    """How many lines, of these or of earlier ones, turned out to be duplicates."""
    refold: set[str]
    """Runs whose stored events changed beyond the new ones."""
    types: set[str]
    """Those of the new events, and maybe more."""

    def new_of(self, types: Iterable[str]) -> list[EventRow]:
        """Return the new events of some types. Most batches have none of those asked for."""
        wanted = self.types.intersection(types)
        return [row for row in self.new if row[TYPE] in wanted] if wanted else []


def store_events(connection: sqlite3.Connection, rows: list[EventRow]) -> StoreResult:
    """Store the events that are new, and recognise those that repeat.

    The lines of the rows have already been counted as indexed: those that turn out to be
    duplicates are counted as such here.
    """
    inserted = insert_events(connection, rows)
    if not inserted.id_taken:
        return StoreResult(rows, 0, inserted.read_again, inserted.types)
    ids = {row[EVENT_ID] for row in inserted.id_taken}
    taken = {row[_POSITION] for row in inserted.id_taken}
    new = [row for row in rows if row[EVENT_ID] not in ids or row[_POSITION] not in taken]
    settler = _Settler(connection, new)
    for row in inserted.id_taken:
        settler.store(StoredEvent._make(row))
    add_unplaced_events(connection, -settler.placed_again)
    count_as_duplicates(connection, [(one.file_id, one.length) for one in settler.duplicates])
    refold, types = settler.refold | inserted.read_again, settler.types | inserted.types
    return StoreResult(settler.new, len(settler.duplicates), refold, types)


class _Settler:
    """Settles events one by one whose ids are taken."""

    def __init__(self, connection: sqlite3.Connection, new: list[EventRow]) -> None:
        self._connection = connection
        self._names = {
            row[0]: row[1] for row in connection.execute("SELECT file_id, name FROM log_files")
        }
        self.new = new
        self.types: set[str] = set()
        """Those of the events that were settled: stored ones are among them."""
        self.duplicates: list[StoredEvent] = []
        self.refold: set[str] = set()
        self.placed_again = 0

    def store(self, row: StoredEvent) -> None:
        """Store one event, or note that it is known."""
        if self._settle(row) == DUPLICATE:
            self._note_duplicate(row)

    def _note_duplicate(self, row: StoredEvent) -> None:
        # Where the segment is gone, its counts are gone too.
        if row.file_id in self._names:
            self.duplicates.append(row)

    def _settle(self, row: StoredEvent) -> str:
        known = find_event(self._connection, row.run_id, row.event_id)
        if known is None:
            insert_event(self._connection, row)
            self.new.append(row)
            self.types.add(row.type)
            return INDEXED
        if known.content == row.content:
            return self._settle_same(known, row)
        if row.is_known_by_id and row.type == known.type:
            return self._settle_copy(known, row)
        if row.claim < known.claim:
            delete_event(self._connection, known.run_id, known.event_id)
            insert_event(self._connection, row)
            self.refold.add(row.run_id)
            # It moves to its alternative id; that may be taken in its turn.
            self.store(known)
            return INDEXED
        return self._settle(row._replace(event_id=alternative_id(row)))

    def _settle_copy(self, known: StoredEvent, row: StoredEvent) -> str:
        if known.content < row.content:
            return DUPLICATE
        delete_event(self._connection, known.run_id, known.event_id)
        insert_event(self._connection, row)
        self.refold.add(row.run_id)
        self._note_duplicate(known)
        return INDEXED

    def _settle_same(self, known: StoredEvent, row: StoredEvent) -> str:
        known_name, name = self._names.get(known.file_id), self._names.get(row.file_id)
        if name is None:
            return DUPLICATE
        if known_name is not None and (known_name, known.offset) < (name, row.offset):
            return DUPLICATE
        move_event(self._connection, row)
        if known.file_id == NO_FILE:
            self.placed_again += 1
        self._note_duplicate(known)
        return INDEXED
