"""Compare many rows with the table `run_events` at once, value for value. Called by verify."""

from __future__ import annotations

import sqlite3
from operator import itemgetter

from indexer.store.events.codec import EVENT_ID, RUN_ID, EventRow
from indexer.store.events.table import rows_not_stored, sort_by_run
from indexer.store.schema.tables import EVENT_COLUMNS

_NAMES = ", ".join(f"run_events.{name}" for name in EVENT_COLUMNS)
# Each may be of another run, whose range takes three of the 999 parameters of SQLite's oldest
# builds; more at once are no quicker.
_AT_ONCE = 100


def rows_unlike_stored(connection: sqlite3.Connection, rows: list[EventRow]) -> list[EventRow]:
    """Return the rows that the table does not contain exactly as they are, and sort `rows`.

    The ids of a run's events rise with their time, so what follows in the log mostly follows in
    the table as well, and is fetched by ranges. What a range does not show is looked up by its key.
    """
    # As the table is; each of the two finds most of its work done.
    rows.sort(key=itemgetter(EVENT_ID))
    sort_by_run(rows)
    unseen: list[EventRow] = []
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        found = _rows_between(connection, some)
        # Nearly always all are there, in this order: then no row needs a hash.
        if found != some:
            stored = set(found)
            unseen += [row for row in some if row not in stored]
    return rows_not_stored(connection, unseen)


def _rows_between(connection: sqlite3.Connection, rows: list[EventRow]) -> list[EventRow]:
    """Return what each run has between its first and its last of `rows`, which are sorted.

    No more than as many rows: a long run whose ids are in no order may have any number between.
    """
    last = {row[RUN_ID]: row[EVENT_ID] for row in rows}
    first = {row[RUN_ID]: row[EVENT_ID] for row in reversed(rows)}
    bounds = [value for run_id, end in last.items() for value in (run_id, first[run_id], end)]
    # CROSS: SQLite is to take the ranges one after the other, each by the table's key.
    return connection.execute(
        f"WITH wanted (run, first, last) AS (VALUES (?, ?, ?){', (?, ?, ?)' * (len(last) - 1)})"
        f" SELECT {_NAMES} FROM wanted CROSS JOIN run_events"
        f" ON run_id = run AND event_id BETWEEN first AND last LIMIT {len(rows)}",
        bounds,
    ).fetchall()
