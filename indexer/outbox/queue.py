"""Store parcels that wait for a target, each with its exact bytes and its key.

Called inside transactions of the one writer: by the projection, which decides what is due, and by
the forwarder. It knows neither what the bytes mean nor how they are sent.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from typing import NamedTuple, Optional

from indexer.outbox.attempt import DELIVERED, REJECTED
from indexer.outbox.backoff import MAX_RETRY_AFTER_SECONDS
from indexer.outbox.delivery_state import json_object
from indexer.outbox.parcel import ALERT, RUN, Parcel
from indexer.store.events.codec import PAYLOAD, RUN_ID, EventRow

_FIRST_OF_ITS_RUN = (
    "NOT EXISTS (SELECT 1 FROM outbox AS earlier WHERE earlier.target = outbox.target"
    " AND earlier.run_id = outbox.run_id AND earlier.revision < outbox.revision)"
)


class QueuedRevision(NamedTuple):
    """A revision that waits for a target, without its payload."""

    target: str
    run_id: str
    revision: int
    attempts: int


class NewParcel(NamedTuple):
    """A parcel to be queued."""

    target: str
    run_id: str
    revision: int
    key: str
    payload: bytes
    changed_at: str
    """When the run changed; the oldest is sent first."""
    kind: str = RUN


class TargetBacklog(NamedTuple):
    """What waits for one target."""

    waiting: int
    oldest: Optional[str]
    """When the run that has waited longest changed."""


def queued_revisions(
    connection: sqlite3.Connection, run_ids: Collection[str]
) -> list[QueuedRevision]:
    """Return what waits of some runs, for any target."""
    marks = ", ".join("?" * len(run_ids))
    return [
        QueuedRevision(*row)
        for row in connection.execute(
            "SELECT target, run_id, revision, attempts FROM outbox INDEXED BY outbox_of_run"
            f" WHERE run_id IN ({marks}) AND kind = ?",
            (*run_ids, RUN),
        )
    ]


def enqueue(connection: sqlite3.Connection, parcels: Iterable[NewParcel]) -> None:
    """Queue parcels. One that was never tried is replaced; one that was stays as it is."""
    connection.executemany(
        "INSERT INTO outbox (target, run_id, revision, key, payload, changed_at, kind)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (target, run_id, revision) DO UPDATE"
        " SET key = excluded.key, payload = excluded.payload, changed_at = excluded.changed_at"
        " WHERE attempts = 0",
        parcels,
    )


def remove(connection: sqlite3.Connection, queued: Iterable[QueuedRevision]) -> None:
    """Remove parcels from the outbox."""
    connection.executemany(
        "DELETE FROM outbox WHERE target = ? AND run_id = ? AND revision = ?",
        [(one.target, one.run_id, one.revision) for one in queued],
    )


def remove_other_targets(connection: sqlite3.Connection, known: Collection[str]) -> None:
    """Remove runs that were never tried and are for a target that is not configured here."""
    marks = ", ".join("?" * len(known))
    connection.execute(
        f"DELETE FROM outbox WHERE kind = ? AND attempts = 0 AND target NOT IN ({marks})",
        (RUN, *known),
    )


def remove_settled_alerts(connection: sqlite3.Connection, rows: Iterable[EventRow]) -> None:
    """Remove alert messages whose receipt was just read: delivered, or rejected for good.

    `rows` are receipts of alerts. A message takes the earlier ones of its subject with it.
    """
    for row in rows:
        receipt = json_object(row[PAYLOAD])
        revision = receipt.get("revision")
        if receipt.get("outcome") not in (DELIVERED, REJECTED) or type(revision) is not int:
            continue
        connection.execute(
            "DELETE FROM outbox WHERE kind = ? AND run_id = ? AND target = ? AND revision <= ?",
            (ALERT, row[RUN_ID], str(receipt.get("target")), revision),
        )


def next_parcels(
    connection: sqlite3.Connection, target: str, now: float, limit: int, busy: Collection[str]
) -> list[Parcel]:
    """Return what is due at a target: the first waiting revision of each run, the oldest first.

    Runs that are `busy` are left out.
    """
    # The index is named: with few statistics SQLite may sort all that waits, payloads and all.
    rows = connection.execute(
        "SELECT target, run_id, revision, key, payload, attempts + 1, kind"
        " FROM outbox INDEXED BY outbox_in_order"
        " WHERE target = ? AND (next_attempt_at <= ? OR next_attempt_at > ?)"
        f" AND {_FIRST_OF_ITS_RUN} ORDER BY changed_at, run_id LIMIT ?",
        (target, now, now + MAX_RETRY_AFTER_SECONDS, limit + len(busy)),
    )
    parcels = (Parcel(*row) for row in rows)
    return [parcel for parcel in parcels if parcel.run_id not in busy][:limit]


def next_probe(
    connection: sqlite3.Connection, target: str, now: float, rank: int, busy: Collection[str]
) -> list[Parcel]:
    """Return the parcel that a probe should try: the one of this rank among those due.

    Counted from the oldest, and round again where fewer are due.
    """
    due = next_parcels(connection, target, now, rank + 1, busy)
    return [due[rank % len(due)]] if due else []


def record_attempt(connection: sqlite3.Connection, parcel: Parcel, next_attempt_at: float) -> None:
    """Record, before it is sent, that a parcel was tried, and when it may be tried again."""
    connection.execute(
        "UPDATE outbox SET attempts = ?, next_attempt_at = ?"
        " WHERE target = ? AND run_id = ? AND revision = ?",
        (parcel.attempt, next_attempt_at, parcel.target, parcel.run_id, parcel.revision),
    )


def next_due(connection: sqlite3.Connection, target: str, after: float) -> Optional[float]:
    """Return when the next parcel of a target is due of those that are not due by `after`."""
    (moment,) = connection.execute(
        "SELECT min(next_attempt_at) FROM outbox WHERE target = ? AND next_attempt_at > ?",
        (target, after),
    ).fetchone()
    return None if moment is None else float(moment)


def is_any_due(connection: sqlite3.Connection, target: str, now: float) -> bool:
    """Return whether a target has a parcel that may be tried now."""
    found = connection.execute(
        "SELECT 1 FROM outbox WHERE target = ? AND next_attempt_at <= ? LIMIT 1", (target, now)
    )
    return found.fetchone() is not None


def backlogs(connection: sqlite3.Connection, kind: str = RUN) -> dict[str, TargetBacklog]:
    """Return what waits, by the name of the target."""
    rows = connection.execute(
        "SELECT target, count(*), min(changed_at) FROM outbox WHERE kind = ? GROUP BY target",
        (kind,),
    )
    return {name: TargetBacklog(count, oldest) for name, count, oldest in rows}
