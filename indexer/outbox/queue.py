"""The outbox: parcels that wait for a target, with the exact bytes and the key of each.

Called inside transactions of the one writer: by whoever queues runs, and by the forwarder. It
knows neither what the bytes mean nor what becomes of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from typing import NamedTuple, Optional

from indexer.outbox.backoff import LONGEST_ASKED_SECONDS
from indexer.outbox.parcel import Parcel

_FIRST_OF_ITS_RUN = (
    "NOT EXISTS (SELECT 1 FROM outbox AS earlier WHERE earlier.target = outbox.target"
    " AND earlier.run_id = outbox.run_id AND earlier.revision < outbox.revision)"
)


class Waiting(NamedTuple):
    """One parcel that waits, as the queue sees it."""

    target: str
    run_id: str
    revision: int
    attempts: int


class Row(NamedTuple):
    """One parcel to be put into the outbox."""

    target: str
    run_id: str
    revision: int
    key: str
    body: bytes
    changed_at: str
    """What it tells of happened then: the oldest goes first."""


def waiting_of(connection: sqlite3.Connection, run_ids: Collection[str]) -> list[Waiting]:
    """Return what waits of some runs, for whichever target."""
    marks = ", ".join("?" * len(run_ids))
    return [
        Waiting(*row)
        for row in connection.execute(
            "SELECT target, run_id, revision, attempts FROM outbox INDEXED BY outbox_of_run"
            f" WHERE run_id IN ({marks})",
            tuple(run_ids),
        )
    ]


def put(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Put parcels in; one that was never tried is replaced, one that was stays as it is."""
    connection.executemany(
        "INSERT INTO outbox (target, run_id, revision, key, body, changed_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (target, run_id, revision) DO UPDATE"
        " SET key = excluded.key, body = excluded.body, changed_at = excluded.changed_at"
        " WHERE attempts = 0",
        rows,
    )


def take_out(connection: sqlite3.Connection, waiting: Iterable[Waiting]) -> None:
    """Delete parcels."""
    connection.executemany(
        "DELETE FROM outbox WHERE target = ? AND run_id = ? AND revision = ?",
        [one[:3] for one in waiting],
    )


def forget_targets(connection: sqlite3.Connection, known: Collection[str]) -> None:
    """Delete what was never tried and is for nobody whom we know."""
    marks = ", ".join("?" * len(known))
    connection.execute(
        f"DELETE FROM outbox WHERE attempts = 0 AND target NOT IN ({marks})", tuple(known)
    )


def next_parcels(
    connection: sqlite3.Connection,
    target: str,
    now: float,
    limit: int,
    busy: Collection[str],
    *,
    least_tried_first: bool,
) -> list[Parcel]:
    """Return what is due at a target: of each run the first that waits, the oldest first.

    Runs that are `busy` are left out. With `least_tried_first` a parcel that fails again and
    again does not stand before others that may well succeed.
    """
    # Named, for with few statistics SQLite may rather sort all that waits, bodies and all.
    order, index = (
        ("attempts, changed_at", "outbox_least_tried")
        if least_tried_first
        else ("changed_at", "outbox_in_order")
    )
    rows = connection.execute(
        f"SELECT target, run_id, revision, key, body, attempts + 1 FROM outbox INDEXED BY {index}"
        " WHERE target = ? AND (next_attempt_at <= ? OR next_attempt_at > ?)"
        f" AND {_FIRST_OF_ITS_RUN} ORDER BY {order}, run_id LIMIT ?",
        (target, now, now + LONGEST_ASKED_SECONDS, limit + len(busy)),
    )
    parcels = (Parcel(*row) for row in rows)
    return [parcel for parcel in parcels if parcel.subject not in busy][:limit]


def note_attempt(connection: sqlite3.Connection, parcel: Parcel, next_attempt_at: float) -> None:
    """Write down, before it goes, that a parcel was tried, and when it may be tried again."""
    connection.execute(
        "UPDATE outbox SET attempts = ?, next_attempt_at = ?"
        " WHERE target = ? AND run_id = ? AND revision = ?",
        (parcel.attempt, next_attempt_at, parcel.target, parcel.subject, parcel.number),
    )


def next_due(connection: sqlite3.Connection, target: str, after: float) -> Optional[float]:
    """Return when the next parcel of a target may be tried that may not be by `after`."""
    (moment,) = connection.execute(
        "SELECT min(next_attempt_at) FROM outbox WHERE target = ? AND next_attempt_at > ?",
        (target, after),
    ).fetchone()
    return None if moment is None else float(moment)


def is_any_due(connection: sqlite3.Connection, target: str, now: float) -> bool:
    """Whether something of a target may be tried now."""
    found = connection.execute(
        "SELECT 1 FROM outbox WHERE target = ? AND next_attempt_at <= ? LIMIT 1", (target, now)
    )
    return found.fetchone() is not None
