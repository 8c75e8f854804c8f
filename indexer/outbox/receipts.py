"""The receipts: events in the log that say what became of deliveries.

Written by the forwarder and by `telemetry forward retry`, read back from the events table. What
was delivered to one target, and what it did not want, is a function of these events alone, in
whichever order they came: so it is the same after a rebuild.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple, Optional

import orjson

from indexer.outbox.parcel import Parcel
from indexer.outbox.verdict import DELIVERED, PARKED, Verdict
from indexer.system.base import Base
from telemetry_core.clock import CLOCK
from telemetry_core.event import (
    API_TARGET,
    FORWARD_SUBJECT,
    RUN_DELIVERED,
    RUN_DELIVERY_FAILED,
    RUN_DELIVERY_RETRIED,
    Event,
)
from telemetry_core.line import encode
from telemetry_core.process import host_name, source_of
from telemetry_core.writer import writer_for

_PATIENCE_SECONDS = 1.0
"""How long the log's lock is waited for; then the receipt goes to this process's own file."""

_OF_RUNS = (
    "SELECT run_id, event_id, type, timestamp, payload_json"
    " FROM run_events INDEXED BY receipts WHERE type IN"
    f" ('{RUN_DELIVERED}', '{RUN_DELIVERY_FAILED}', '{RUN_DELIVERY_RETRIED}')"
)


class Parked(NamedTuple):
    """A parcel that its target did not want: a dead letter, until somebody says `retry`."""

    target: str
    run_id: str
    revision: int
    reason: str
    time: str
    receipt: str
    """The id of the event that says so."""


class Delivery(NamedTuple):
    """What the receipts say of one run and one target."""

    revision: int
    """The highest that was delivered; 0 for none."""
    parked: dict[int, Parked]
    """What was not wanted, by revision, and is not to be tried again."""

    def is_settled(self, revision: int) -> bool:
        """Whether a revision need not be sent, or not now."""
        return revision <= self.revision or revision in self.parked


NOTHING = Delivery(0, {})


class Receipts:
    """Appends receipts to the log of one base."""

    def __init__(self, base: Base) -> None:
        self._writer = writer_for(base.log_directory, host_name())

    def write(self, events: Iterable[tuple[str, str, dict[str, Any]]]) -> bool:
        """Append events given as (type, subject, data); say whether the log has them now.

        If not they wait in memory, and `flush` tries again.
        """
        lines, day = [], ""
        for kind, subject, data in events:
            tick = CLOCK.tick()
            day = tick.day
            event = Event(tick.id, source_of(os.getpid()), kind, subject, tick.time, data)
            lines.append(encode(event))
        if not lines:
            return True
        return self._writer.write(b"".join(lines), day, len(lines), False, _PATIENCE_SECONDS)

    def flush(self) -> bool:
        """Try to write what waits in memory; return whether nothing does any longer."""
        return self._writer.flush(_PATIENCE_SECONDS)


def receipt_of(parcel: Parcel, verdict: Verdict) -> tuple[str, str, dict[str, Any]]:
    """Return what the log is told of one attempt."""
    kind = RUN_DELIVERED if verdict.outcome == DELIVERED else RUN_DELIVERY_FAILED
    return (
        kind,
        parcel.subject,
        {
            "target": parcel.target,
            "revision": parcel.number,
            "attempt": parcel.attempt,
            "outcome": verdict.outcome,
            "reason": verdict.reason,
        },
    )


def retry_of(parked: Parked) -> tuple[str, str, dict[str, Any]]:
    """Return what the log is told when a dead letter is to be tried again."""
    return (
        RUN_DELIVERY_RETRIED,
        parked.run_id,
        {
            "target": parked.target,
            "revision": parked.revision,
            "receipt": parked.receipt,
        },
    )


def deliveries(
    connection: sqlite3.Connection, run_ids: Collection[str]
) -> dict[tuple[str, str], Delivery]:
    """Return what the receipts say of some runs, by target and run."""
    marks = ", ".join("?" * len(run_ids))
    rows = connection.execute(f"{_OF_RUNS} AND run_id IN ({marks})", tuple(run_ids))
    return _read(rows)


def dead_letters(connection: sqlite3.Connection) -> Iterator[Parked]:
    """Yield what is parked and was not overtaken by a later revision, by run and target."""
    runs = connection.execute(
        f"SELECT DISTINCT run_id FROM ({_OF_RUNS}) WHERE type = '{RUN_DELIVERY_FAILED}'"
        f" AND instr(payload_json, '\"{PARKED}\"') ORDER BY run_id"
    ).fetchall()
    for (run_id,) in runs:
        for delivery in deliveries(connection, [run_id]).values():
            for revision, parked in delivery.parked.items():
                if revision > delivery.revision:
                    yield parked


def last_lift(connection: sqlite3.Connection, target: str) -> str:
    """Return the id of the event by which a target's pause was last lifted by hand."""
    rows = connection.execute(
        "SELECT event_id, payload_json FROM run_events WHERE run_id = ?"
        " ORDER BY timestamp DESC, event_id DESC",
        (FORWARD_SUBJECT,),
    )
    return next((event_id for event_id, data in rows if _object(data).get("target") == target), "")


def _read(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[str, str], Delivery]:
    found: dict[tuple[str, str], int] = {}
    parked: list[Parked] = []
    lifted = set()
    for run_id, event_id, kind, time, payload in rows:
        data = _object(payload)
        target, revision = data.get("target", API_TARGET), data.get("revision")
        # True is an int to Python and no number to JSON.
        if not isinstance(target, str) or type(revision) is not int:
            continue
        before = found.setdefault((target, run_id), 0)
        if kind == RUN_DELIVERED:
            found[target, run_id] = max(before, revision)
        elif kind == RUN_DELIVERY_RETRIED:
            lifted.add((run_id, str(data.get("receipt"))))
        elif data.get("outcome") == PARKED:
            reason = str(data.get("reason"))
            parked.append(Parked(target, run_id, revision, reason, time, event_id))
    told = {key: Delivery(revision, {}) for key, revision in found.items()}
    for one in parked:
        if (one.run_id, one.receipt) not in lifted:
            told[one.target, one.run_id].parked[one.revision] = one
    return told


def _object(payload: Optional[str]) -> dict[str, Any]:
    data = orjson.loads(payload) if payload else None
    return data if isinstance(data, dict) else {}
