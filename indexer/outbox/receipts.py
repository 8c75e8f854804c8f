"""Write what happened to deliveries as events into the log.

Used by the forwarder and by `telemetry forward`. What was delivered to which target, what became a
dead letter and where a target starts are functions of these events alone, in whichever order they
are read, so that a rebuild sends nothing again. They are read back by delivery_state.py and
target_events.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from indexer.outbox.attempt import DELIVERED, AttemptResult
from indexer.outbox.delivery_state import DeadLetter
from indexer.outbox.parcel import ALERT, RUN, Parcel
from indexer.system.base import Base
from telemetry_core.clock import CLOCK
from telemetry_core.event import (
    ALERT_DELIVERED,
    ALERT_DELIVERY_FAILED,
    FORWARD_BACKFILL_REQUESTED,
    FORWARD_RETRIED,
    FORWARD_STARTED,
    FORWARD_SUBJECT,
    RUN_DELIVERED,
    RUN_DELIVERY_FAILED,
    RUN_DELIVERY_RETRIED,
    Event,
)
from telemetry_core.line import encode
from telemetry_core.process import host_name, source_of
from telemetry_core.writers import writer_for

EventParts = tuple[str, str, dict[str, Any]]
"""Type, subject and data of an event."""

_RECEIPT_TYPES = {
    RUN: (RUN_DELIVERED, RUN_DELIVERY_FAILED),
    ALERT: (ALERT_DELIVERED, ALERT_DELIVERY_FAILED),
}
_LOCK_SECONDS = 1.0
"""How long to wait for the log's lock; after that a receipt goes to this process's spill file."""


class Receipts:
    """Appends receipts to the log of one base directory."""

    def __init__(self, base: Base) -> None:
        self._writer = writer_for(base.log_directory, host_name())

    def write(self, events: Iterable[EventParts]) -> bool:
        """Append events; return whether they are in the log now.

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
        return self._writer.write(b"".join(lines), day, len(lines), False, _LOCK_SECONDS)

    def flush(self) -> bool:
        """Try to write what waits in memory; return whether nothing waits any longer."""
        return self._writer.flush(_LOCK_SECONDS)


def receipt_of(parcel: Parcel, result: AttemptResult) -> EventParts:
    """Return the receipt of one attempt."""
    delivered, failed = _RECEIPT_TYPES[parcel.kind]
    return (
        delivered if result.outcome == DELIVERED else failed,
        parcel.run_id,
        {
            "target": parcel.target,
            "revision": parcel.revision,
            "attempt": parcel.attempt,
            "outcome": result.outcome,
            "reason": result.reason,
        },
    )


def retry_of(letter: DeadLetter) -> EventParts:
    """Return the event that sends a dead letter again."""
    data = {"target": letter.target, "revision": letter.revision, "receipt": letter.receipt}
    return RUN_DELIVERY_RETRIED, letter.run_id, data


def retry_of_target(target: str) -> EventParts:
    """Return the event that tries a target at once that is down or paused."""
    return FORWARD_RETRIED, FORWARD_SUBJECT, {"target": target}


def start_of_target(target: str, *, with_history: bool) -> EventParts:
    """Return the event that says that a target was first seen now.

    Runs that changed before are not sent to it, unless it has a history of deliveries whose own
    start is no longer in the log.
    """
    data = {"target": target, **({"since": ""} if with_history else {})}
    return FORWARD_STARTED, FORWARD_SUBJECT, data


def backfill_of_target(target: str, since: str) -> EventParts:
    """Return the event that requests runs since a time, in canonical form; empty for all."""
    return FORWARD_BACKFILL_REQUESTED, FORWARD_SUBJECT, {"target": target, "since": since}
