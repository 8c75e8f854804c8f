"""Read back from the receipts what was delivered, and what became a dead letter."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple, Optional

import orjson

from indexer.outbox.attempt import REJECTED
from telemetry_core.event import (
    API_TARGET,
    RUN_DELIVERED,
    RUN_DELIVERY_FAILED,
    RUN_DELIVERY_RETRIED,
)

RECEIPTS_SQL = (
    "SELECT run_id, event_id, events.type, events.timestamp, payload_json"
    " FROM events_by_type AS noted CROSS JOIN run_events AS events USING (run_id, event_id)"
    # Without the sign SQLite could read all receipts there are for those of one run.
    " WHERE +noted.type IN"
    f" ('{RUN_DELIVERED}', '{RUN_DELIVERY_FAILED}', '{RUN_DELIVERY_RETRIED}')"
)
RECEIPT_PAYLOAD = 4
"""The index of `payload_json` in a row of `RECEIPTS_SQL`."""

_REJECTED_OUTCOMES = (REJECTED, "parked")
"""Receipts written before 1.1 say `parked`."""


class DeadLetter(NamedTuple):
    """A revision that its target rejected. It is not sent again before `forward retry`."""

    target: str
    run_id: str
    revision: int
    reason: str
    time: str
    receipt: str
    """The id of the event that says so."""


class DeliveryState(NamedTuple):
    """What the receipts say about one run and one target."""

    delivered: int
    """The highest revision that was delivered; 0 for none."""
    dead_letters: dict[int, DeadLetter]
    """By revision."""

    def is_settled(self, revision: int) -> bool:
        """Return whether a revision need not be sent, or not before somebody asks for it."""
        return revision <= self.delivered or revision in self.dead_letters


NOT_SENT = DeliveryState(0, {})


def delivery_states(
    connection: sqlite3.Connection, run_ids: Collection[str]
) -> dict[tuple[str, str], DeliveryState]:
    """Return the state by target and run, for some runs and all targets that have receipts."""
    marks = ", ".join("?" * len(run_ids))
    return _states(connection.execute(f"{RECEIPTS_SQL} AND run_id IN ({marks})", tuple(run_ids)))


def dead_letters(connection: sqlite3.Connection) -> Iterator[DeadLetter]:
    """Yield the dead letters without a later delivered revision, by run and target."""
    outcomes = " OR ".join(f"instr(payload_json, '\"{one}\"')" for one in _REJECTED_OUTCOMES)
    runs = connection.execute(
        f"SELECT DISTINCT run_id FROM ({RECEIPTS_SQL}) WHERE type = '{RUN_DELIVERY_FAILED}'"
        f" AND ({outcomes}) ORDER BY run_id"
    ).fetchall()
    for (run_id,) in runs:
        for state in delivery_states(connection, [run_id]).values():
            for revision, letter in state.dead_letters.items():
                if revision > state.delivered:
                    yield letter


def json_object(payload: Optional[str]) -> dict[str, Any]:
    """Return the data of an event; empty if it is not an object."""
    data = orjson.loads(payload) if payload else None
    return data if isinstance(data, dict) else {}


def _states(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[str, str], DeliveryState]:
    delivered: dict[tuple[str, str], int] = {}
    rejected: list[DeadLetter] = []
    retried = set()
    for run_id, event_id, kind, time, payload in rows:
        data = json_object(payload)
        target, revision = data.get("target", API_TARGET), data.get("revision")
        # True is an int to Python and not a number to JSON.
        if not isinstance(target, str) or type(revision) is not int:
            continue
        before = delivered.setdefault((target, run_id), 0)
        if kind == RUN_DELIVERED:
            delivered[target, run_id] = max(before, revision)
        elif kind == RUN_DELIVERY_RETRIED:
            retried.add((run_id, str(data.get("receipt"))))
        elif data.get("outcome") in _REJECTED_OUTCOMES:
            reason = str(data.get("reason"))
            rejected.append(DeadLetter(target, run_id, revision, reason, time, event_id))
    states = {key: DeliveryState(revision, {}) for key, revision in delivered.items()}
    for letter in rejected:
        if (letter.run_id, letter.receipt) not in retried:
            states[letter.target, letter.run_id].dead_letters[letter.revision] = letter
    return states
