"""Put events into the search index, and take them out.

Called inside the transactions that store or delete the events themselves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Optional

from indexer.store.events.codec import EVENT_ID, EVENT_TYPE, PAYLOAD, RUN_ID, EventRow
from indexer.store.search.tables import Filled, set_filled

MOST_CHARACTERS = 200_000
"""So much of each event can be found. Longer ones are rare, and cost seconds."""
OWN_RUNS = "telemetry."
"""How the subjects of the indexer's own events begin, which nobody looks for."""
_AT_ONCE = 500

_DOCUMENTS = """SELECT documents.id, events.event_type, events.payload_json
FROM search_events AS documents
CROSS JOIN search_runs AS runs ON runs.id = documents.run
CROSS JOIN run_events AS events
  ON events.run_id = runs.run_id AND events.event_id = documents.event_id"""


def add_events(connection: sqlite3.Connection, rows: Iterable[EventRow]) -> None:
    """Add events that are not in the index."""
    found = [row for row in rows if not row[RUN_ID].startswith(OWN_RUNS)]
    if not found:
        return
    numbers = _numbers_of(connection, {row[RUN_ID] for row in found})
    last = _last_number(connection)
    connection.executemany(
        "INSERT INTO search_events (id, run, event_id) VALUES (?, ?, ?)",
        [(n, numbers[row[RUN_ID]], row[EVENT_ID]) for n, row in enumerate(found, last + 1)],
    )
    connection.executemany(
        "INSERT INTO search_text (rowid, text) VALUES (?, ?)",
        ((n, _text(row[EVENT_TYPE], row[PAYLOAD])) for n, row in enumerate(found, last + 1)),
    )


def add_runs_again(connection: sqlite3.Connection, run_ids: Collection[str]) -> None:
    """Add all events of runs once more, of which one may be another than before.

    What they were found by before comes to nothing: no event has these numbers any more.
    """
    for run_id in run_ids:
        connection.execute(
            "DELETE FROM search_events WHERE run = (SELECT id FROM search_runs WHERE run_id = ?)",
            (run_id,),
        )
        add_events(connection, _rows(connection, "run_id = ?", (run_id,)))


def remove_segments(connection: sqlite3.Connection, files: Collection[int]) -> None:
    """Remove the events of segments, which are still stored, so that nothing of them is left."""
    numbers = ", ".join(str(int(file)) for file in files)
    rows = connection.execute(f"{_DOCUMENTS} WHERE events.file_id IN ({numbers})").fetchall()
    # The table has no text of its own: it has to be told what it is to forget, word for word.
    connection.executemany(
        "INSERT INTO search_text (search_text, rowid, text) VALUES ('delete', ?, ?)",
        [(number, _text(kind, payload)) for number, kind, payload in rows],
    )
    connection.executemany("DELETE FROM search_events WHERE id = ?", [row[:1] for row in rows])
    # What was deleted is only marked so until its part of the index is written anew.
    connection.execute("INSERT INTO search_text (search_text) VALUES ('optimize')")


def fill_further(connection: sqlite3.Connection, state: Filled, events: int) -> Filled:
    """Add some more of the events that were there before the index, and return how far it is."""
    rows = _rows(
        connection,
        "(run_id, event_id) > (?, ?) ORDER BY run_id, event_id LIMIT ?",
        (state.run_id, state.event_id, events),
    )
    add_events(connection, rows)
    if len(rows) < events:
        state = Filled(is_complete=True, run_id="", event_id="")
    else:
        state = Filled(is_complete=False, run_id=rows[-1][RUN_ID], event_id=rows[-1][EVENT_ID])
    set_filled(connection, state)
    return state


def _numbers_of(connection: sqlite3.Connection, run_ids: Collection[str]) -> dict[str, int]:
    """Return the number of each run, new ones included."""
    names = sorted(run_ids)
    connection.executemany(
        "INSERT OR IGNORE INTO search_runs (run_id) VALUES (?)", [(name,) for name in names]
    )
    found: dict[str, int] = {}
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        sql = f"SELECT run_id, id FROM search_runs WHERE run_id IN ({_marks(some)})"
        found.update(connection.execute(sql, some).fetchall())
    return found


def _last_number(connection: sqlite3.Connection) -> int:
    """Return the last number that an event had: none is given twice."""
    row = connection.execute(
        "SELECT seq FROM sqlite_sequence WHERE name = 'search_events'"
    ).fetchone()
    return 0 if row is None else int(row[0])


def _rows(connection: sqlite3.Connection, where: str, values: Sequence[Any]) -> list[EventRow]:
    sql = (
        "SELECT run_id, event_id, event_type, timestamp, type, source, payload_json"
        f" FROM run_events WHERE {where}"
    )
    return connection.execute(sql, values).fetchall()


def _text(kind: str, payload: Optional[str]) -> str:
    return f"{kind}\n{payload or ''}"[:MOST_CHARACTERS]


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
