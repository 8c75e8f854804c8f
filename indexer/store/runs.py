"""The table `agent_runs`: read rows and write rows.

Called inside the transactions of an ingest pass. It does not know what a row means.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

from indexer.store.schema.columns import RUN_COLUMNS

_NAMES = ", ".join(RUN_COLUMNS)
_ALL_COLUMNS = ", ".join(f"{name} = excluded.{name}" for name in RUN_COLUMNS[1:])
# SQLite takes 999 parameters in its oldest builds.
_CHUNK = 500


def load_runs(
    connection: sqlite3.Connection,
    run_ids: Iterable[str],
    columns: Sequence[str] = RUN_COLUMNS,
) -> dict[str, dict[str, Any]]:
    """Return the rows of those of the runs that have one; `columns` begin with the run id."""
    rows: dict[str, dict[str, Any]] = {}
    names = ", ".join(columns)
    remaining = iter(run_ids)
    while chunk := list(islice(remaining, _CHUNK)):
        marks = ", ".join("?" * len(chunk))
        for row in connection.execute(
            f"SELECT {names} FROM agent_runs WHERE run_id IN ({marks})", chunk
        ):
            rows[row[0]] = dict(zip(columns, row))
    return rows


def save_runs(connection: sqlite3.Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows, replacing earlier rows of the same runs."""
    # Of fifty-six columns most are empty in most rows, and binding those takes SQLite twice as
    # long as writing the others.
    alike: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for row in rows:
        given = {name: value for name, value in row.items() if value is not None}
        alike.setdefault(tuple(given), []).append(tuple(given.values()))
    for names, values in alike.items():
        # Not OR REPLACE: it would delete another run that a user's unique index conflicts with.
        connection.executemany(
            f"INSERT INTO agent_runs ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
            f" ON CONFLICT (run_id) DO UPDATE SET {_ALL_COLUMNS}",
            sorted(values, key=itemgetter(0)),
        )


def update_runs(
    connection: sqlite3.Connection, rows: Iterable[dict[str, Any]], columns: Sequence[str]
) -> None:
    """Write some columns of existing rows; `columns` begin with the run id."""
    changes = ", ".join(f"{name} = ?" for name in columns[1:])
    connection.executemany(
        f"UPDATE agent_runs SET {changes} WHERE run_id = ?",
        ([*(row[name] for name in columns[1:]), row[columns[0]]] for row in rows),
    )


def delete_runs(connection: sqlite3.Connection, run_ids: Collection[str]) -> None:
    """Delete the rows of runs."""
    connection.executemany("DELETE FROM agent_runs WHERE run_id = ?", ((one,) for one in run_ids))


def rows_of_runs(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """Yield the values of every row, in the order of `RUN_COLUMNS`, by run id."""
    yield from connection.execute(f"SELECT {_NAMES} FROM agent_runs ORDER BY run_id")
