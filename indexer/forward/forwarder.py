"""The forwarder: takes what is due out of the outbox, hands it to the messenger, notes outcomes.

Called by the daemon and by `telemetry forward` after each pass that read the whole log, with the
one connection that writes. It never waits: the network is the messenger's, in another thread.
"""

from __future__ import annotations

import logging
import math
import random
import sqlite3
import time
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Callable, Optional, Protocol

from indexer.forward.circuit_breaker import OPEN, PAUSED, Gate
from indexer.forward.sender import Outcome
from indexer.forward.target_state import TargetState, load_state, save_state
from indexer.outbox import queue as outbox
from indexer.outbox.backoff import backoff
from indexer.outbox.parcel import Parcel
from indexer.outbox.receipts import Receipts, last_lift, receipt_of
from indexer.outbox.target import Target
from indexer.outbox.verdict import DELIVERED, FAILED, PARKED, REFUSED, Verdict
from indexer.store.connection import transaction
from telemetry_core.timestamp import format_time

logger = logging.getLogger(__name__)


class Carries(Protocol):
    """What the forwarder needs of a messenger."""

    def send(self, target: Target, parcel: Parcel) -> None:
        """Have one attempt made."""

    def outcomes(self) -> list[Outcome]:
        """Return what has come of attempts since the last call."""


class Forwarder:
    """What one process forwards to some targets."""

    def __init__(
        self,
        targets: Iterable[Target],
        receipts: Receipts,
        messenger: Carries,
        clock: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
    ) -> None:
        """`clock` gives seconds since 1970, `dice` anything from 0 to 1."""
        self._receipts = receipts
        self._messenger = messenger
        self._clock = clock
        self._dice = dice
        self._lanes = {target.name: _Lane(target) for target in targets}
        self._all_written = True
        self.wait = 0.0
        """In how many seconds another step may find something to do; infinite for never."""
        self.is_done = False
        """Whether nothing is under way, and nothing that may go now is left."""

    def step(self, connection: sqlite3.Connection) -> None:
        """Note what came of attempts, and let go what may go now. Raises sqlite3.Error, OSError.

        The log has been read to its end: receipts that stand there are known.
        """
        now = self._clock()
        for lane in self._lanes.values():
            lane.load(connection)
        was_written, self._all_written = self._all_written, self._receipts.flush()
        if was_written:
            # Their receipts were in the log before it was read: the outbox knows of them.
            for lane in self._lanes.values():
                lane.settling.clear()
        self._note(connection, self._messenger.outcomes(), now)
        if self._all_written:
            self._send(connection, now)
        self._look_ahead(connection, now)

    def note_last(self, connection: sqlite3.Connection) -> None:
        """Note what came of attempts, and let nothing go any more."""
        self._note(connection, self._messenger.outcomes(), self._clock())

    def _note(self, connection: sqlite3.Connection, outcomes: list[Outcome], now: float) -> None:
        if not outcomes:
            return
        # In memory first: if the rest fails, nothing counts as under way that is not any more.
        learned = [
            (parcel, self._lanes[parcel.target].learn(parcel, verdict, now, self._dice()))
            for parcel, verdict in outcomes
        ]
        # Then the log: if this process dies here, the receipt is folded next time.
        self._all_written = self._receipts.write(receipt_of(*outcome) for outcome in outcomes)
        with transaction(connection):
            for parcel, again_at in learned:
                if again_at is not None:
                    outbox.note_attempt(connection, parcel, again_at)
            for lane in self._lanes.values():
                save_state(connection, lane.state)

    def _send(self, connection: sqlite3.Connection, now: float) -> None:
        for lane in self._lanes.values():
            lane.hear_of_lift(connection)
            room = lane.gate.room(now)
            if not room:
                continue
            parcels = outbox.next_parcels(
                connection,
                lane.target.name,
                now,
                room,
                lane.under_way | lane.settling,
                least_tried_first=lane.gate.is_probing,
            )
            if not parcels:
                continue
            with transaction(connection):
                for parcel in parcels:
                    # If this process dies, as if the attempt had failed in the end.
                    rest = backoff(parcel.attempt, self._dice())
                    outbox.note_attempt(connection, parcel, now + rest)
            for parcel in parcels:
                lane.send(parcel)
                self._messenger.send(lane.target, parcel)

    def _look_ahead(self, connection: sqlite3.Connection, now: float) -> None:
        self.wait, self.is_done = math.inf, self._all_written
        for lane in self._lanes.values():
            self.wait = min(self.wait, self._wait_of(connection, lane, now))
            if lane.under_way or lane.settling:
                self.is_done = False
            elif not lane.gate.is_shut(now) and not lane.gate.room(now):
                is_left = outbox.is_any_due(connection, lane.target.name, now)
                self.is_done = self.is_done and not is_left

    def _wait_of(self, connection: sqlite3.Connection, lane: _Lane, now: float) -> float:
        if lane.settling:
            # The next pass finds the receipts, if the log could be written.
            return 0.0 if self._all_written else 1.0
        if not lane.gate.room(now):
            return lane.gate.wait(now)
        # What may be tried by now is held up by what is under way, and that will be heard of.
        moment = outbox.next_due(connection, lane.target.name, now)
        return math.inf if moment is None else moment - now


class _Lane:
    """One target with its gate, its state, and what is under way to it."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.gate = Gate(target.rate, target.in_flight)
        self.state = TargetState(target.name)
        self.under_way: set[str] = set()
        self.settling: set[str] = set()
        """What is delivered or parked, until its receipt was read."""
        self._is_loaded = False
        self._knows_lifts = False
        """Whether the state has the last lift of before the gate was shut."""

    def load(self, connection: sqlite3.Connection) -> None:
        """Begin where the last process stopped."""
        if not self._is_loaded:
            self.state = load_state(connection, self.target.name)
            self.gate.state = self.state.gate
            self._knows_lifts = self.gate.is_probing
            self._is_loaded = True

    def send(self, parcel: Parcel) -> None:
        """Note that a parcel goes."""
        self.gate.sent()
        self.under_way.add(parcel.subject)

    def learn(self, parcel: Parcel, verdict: Verdict, now: float, dice: float) -> Optional[float]:
        """Take in what came of a parcel; return when it may be tried again, None for never."""
        was, was_probing = self.gate.condition, self.gate.is_probing
        self.under_way.discard(parcel.subject)
        self.gate.learned(verdict, now, dice)
        self._remember(verdict, now)
        self._tell(parcel, verdict, was)
        if verdict.outcome in (DELIVERED, PARKED):
            self.settling.add(parcel.subject)
            return None
        if verdict.outcome == REFUSED or was_probing:
            # The gate waits, and no parcel is to blame.
            return now
        return now + (verdict.retry_after or backoff(parcel.attempt, dice))

    def hear_of_lift(self, connection: sqlite3.Connection) -> None:
        """Open the gate for a probe if somebody asked for it since it was shut."""
        if not self.gate.is_probing:
            self._knows_lifts = False
            return
        lifted_by = last_lift(connection, self.target.name)
        if lifted_by == self.state.lifted_by and self._knows_lifts:
            return
        if self._knows_lifts:
            self.gate.lift()
        # What lifted an earlier pause does not lift this one.
        self._knows_lifts = True
        self.state = self.state.with_gate(self.gate.state)._replace(lifted_by=lifted_by)
        save_state(connection, self.state)

    def _remember(self, verdict: Verdict, now: float) -> None:
        state, moment = self.state.with_gate(self.gate.state), _written(now)
        if verdict.outcome == DELIVERED:
            state = state._replace(last_error=None, last_error_at=None, last_delivered_at=moment)
        elif verdict.outcome in (FAILED, REFUSED):
            state = state._replace(last_error=verdict.reason, last_error_at=moment)
        self.state = state

    def _tell(self, parcel: Parcel, verdict: Verdict, was: str) -> None:
        name, now = self.target.name, self.gate.condition
        if verdict.outcome == PARKED:
            logger.warning("%s does not want run %s: %s", name, parcel.subject, verdict.reason)
        if now == was:
            return
        if now == OPEN:
            logger.info("%s takes runs again", name)
        elif now == PAUSED:
            logger.error("%s does not let us in: %s; nothing is sent there", name, verdict.reason)
        else:
            logger.error("%s can't be reached: %s; tried again later", name, verdict.reason)


def _written(now: float) -> str:
    return format_time(datetime.fromtimestamp(now, timezone.utc))
