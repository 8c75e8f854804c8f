"""The tables of the search index: created, dropped, and how far they are filled.

They are no part of the schema: a database is whole without them. Sequences of three characters
are indexed, so that a search finds what a scan would, inside words as well.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import NamedTuple, Optional

# Only which events contain a sequence is kept, not where, nor the text itself: what is found is
# compared with the event. A run's long id is kept once.
_TABLES = {
    "search_runs": "CREATE TABLE search_runs (id INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE)",
    "search_events": (
        "CREATE TABLE search_events (id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL,"
        " event_id TEXT NOT NULL)"
    ),
    "search_events_of_run": "CREATE INDEX search_events_of_run ON search_events (run)",
    "search_text": (
        "CREATE VIRTUAL TABLE search_text USING fts5(text, content='', columnsize=0,"
        " detail='none', tokenize='trigram')"
    ),
    "search_state": (
        "CREATE TABLE search_state (is_complete INTEGER NOT NULL, run_id TEXT NOT NULL,"
        " event_id TEXT NOT NULL)"
    ),
}
_NAMES = ", ".join(f"'{name}'" for name in _TABLES)


class Filled(NamedTuple):
    """How far the events that were there already are in the index, by run and id."""

    is_complete: bool
    run_id: str
    event_id: str

    def has_passed(self, run_id: str, event_id: str) -> bool:
        """Whether an event comes before where the filling stands: nothing else will add it."""
        return self.is_complete or (run_id, event_id) <= (self.run_id, self.event_id)


def is_supported() -> bool:
    """Whether this SQLite has what the index needs: FTS5 with trigrams, since 3.34."""
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute(_TABLES["search_text"])
        except sqlite3.OperationalError:
            return False
    return True


def create_tables(connection: sqlite3.Connection) -> None:
    """Create the tables, empty. Called in a transaction."""
    for statement in _TABLES.values():
        connection.execute(statement)
    (some,) = connection.execute("SELECT EXISTS (SELECT 1 FROM run_events)").fetchone()
    connection.execute("INSERT INTO search_state VALUES (?, '', '')", (int(not some),))


def drop_tables(connection: sqlite3.Connection) -> None:
    """Drop whatever there is of them. Called in a transaction."""
    for name, statement in _TABLES.items():
        if not statement.startswith("CREATE INDEX"):
            connection.execute(f"DROP TABLE IF EXISTS {name}")


def has_tables(connection: sqlite3.Connection) -> bool:
    """Whether all tables are there and as this version makes them."""
    return _found(connection) == _TABLES


def filled(connection: sqlite3.Connection) -> Optional[Filled]:
    """Return how far the index is filled; None where there is none."""
    if not has_tables(connection):
        return None
    row = connection.execute("SELECT is_complete, run_id, event_id FROM search_state").fetchone()
    return None if row is None else Filled(bool(row[0]), str(row[1]), str(row[2]))


def set_filled(connection: sqlite3.Connection, state: Filled) -> None:
    """Note how far the index is filled."""
    connection.execute("UPDATE search_state SET is_complete = ?, run_id = ?, event_id = ?", state)


def _found(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute(f"SELECT name, sql FROM sqlite_master WHERE name IN ({_NAMES})")
    return dict(rows.fetchall())
