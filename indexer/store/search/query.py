"""Find events, and runs, by a text: by the search index where there is one, else one by one.

Both find the same, in any case and inside words; what the index proposes is compared with the
event itself. It only reads.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Optional

from indexer.store.search.index import OWN_RUNS
from indexer.store.search.tables import filled

Row = dict[str, Any]

_SEQUENCE = 3
_MOST_SEQUENCES = 32
_MOST_PROPOSED = 5_000
_CONTAINS = (
    "(events.payload_json LIKE :like ESCAPE '\\' OR events.event_type LIKE :like ESCAPE '\\')"
)
_ALL = ("run_events AS events", "")
_PROPOSED = """search_text
CROSS JOIN search_events AS documents ON documents.id = search_text.rowid
CROSS JOIN search_runs AS runs ON runs.id = documents.run
CROSS JOIN run_events AS events
  ON events.run_id = runs.run_id AND events.event_id = documents.event_id"""


def events_with(
    connection: sqlite3.Connection,
    text: str,
    since: str,
    run_id: Optional[str],
    limit: int,
) -> list[Row]:
    """Return the latest events whose type or payload contains a text, in any case."""
    # The events of one run lie together: they are read sooner than the index.
    match = "" if run_id is not None else _match(connection, text)
    source, condition = (_PROPOSED, "search_text MATCH :match AND ") if match else _ALL
    cursor = connection.execute(
        "SELECT events.timestamp AS timestamp, events.run_id AS run_id,"
        " events.event_type AS event_type, substr(events.payload_json, 1, 2000) AS payload"
        f" FROM {source} WHERE {condition}events.timestamp >= :since"
        f" AND (:run IS NULL OR events.run_id = :run) AND events.run_id NOT LIKE '{OWN_RUNS}%'"
        f" AND {_CONTAINS} ORDER BY events.timestamp DESC LIMIT :limit",
        {"since": since, "run": run_id, "limit": limit, "like": _like(text), "match": match},
    )
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor]


def runs_with(connection: sqlite3.Connection, text: str, limit: int) -> list[str]:
    """Return the runs that have an event with a text, the one indexed last first.

    Only by the index, and only of as many events as can be read at once; without it, none.
    """
    match = _match(connection, text)
    if not match:
        return []
    rows = connection.execute(
        f"SELECT events.run_id, {_CONTAINS} FROM {_PROPOSED} WHERE search_text MATCH :match"
        " ORDER BY search_text.rowid DESC LIMIT :most",
        {"like": _like(text), "match": match, "most": _MOST_PROPOSED},
    )
    found: dict[str, None] = {}
    for run_id, has_text in rows:
        if has_text:
            found[run_id] = None
        if len(found) == limit:
            break
    return list(found)


def is_indexed(connection: sqlite3.Connection) -> bool:
    """Whether there is a search index that has every event."""
    state = filled(connection)
    return state is not None and state.is_complete


def missing_events(connection: sqlite3.Connection) -> int:
    """Return how many events a complete index does not have; it reads all of it."""
    (stored,) = connection.execute(
        f"SELECT count(*) FROM run_events WHERE run_id NOT LIKE '{OWN_RUNS}%'"
    ).fetchone()
    (indexed,) = connection.execute(
        "SELECT count(*) FROM (SELECT DISTINCT runs.run_id, documents.event_id"
        " FROM search_events AS documents"
        " CROSS JOIN search_runs AS runs ON runs.id = documents.run"
        " CROSS JOIN run_events AS events"
        " ON events.run_id = runs.run_id AND events.event_id = documents.event_id)"
    ).fetchone()
    return int(stored - indexed)


def _match(connection: sqlite3.Connection, text: str) -> str:
    """Return what the index is asked for; empty where it can't be."""
    if len(text) < _SEQUENCE or "\0" in text or not is_indexed(connection):
        return ""
    sequences = sorted({text[n : n + _SEQUENCE] for n in range(len(text) - _SEQUENCE + 1)})
    quoted = ['"{}"'.format(one.replace('"', '""')) for one in sequences[:_MOST_SEQUENCES]]
    return " AND ".join(quoted)


def _like(text: str) -> str:
    for character in "\\%_":
        text = text.replace(character, "\\" + character)
    return f"%{text}%"
