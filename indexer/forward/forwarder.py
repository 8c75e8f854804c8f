"""Take what is due out of the outbox, hand it to the sender, and record the results.

Called by the daemon and by `telemetry forward` after each pass that read the whole log, with the
one connection that writes. It never waits: the sender uses the network in another thread.
"""

from __future__ import annotations

import math
import random
import sqlite3
import time
from collections.abc import Iterable
from typing import Callable, Protocol

from indexer.forward.active_target import ActiveTarget
from indexer.forward.sender import Outcome
from indexer.forward.target_state import save_state
from indexer.outbox import queue
from indexer.outbox.backoff import backoff
from indexer.outbox.parcel import Parcel
from indexer.outbox.receipts import Receipts, receipt_of, start_of_target
from indexer.outbox.target import Target
from indexer.outbox.target_events import has_deliveries, target_starts
from indexer.store.connection import transaction


class SendsParcels(Protocol):
    """What the forwarder needs of a sender."""

    def send(self, target: Target, parcel: Parcel) -> None:
        """Make one attempt; its outcome comes later."""

    def outcomes(self) -> list[Outcome]:
        """Return the outcomes of attempts since the last call."""
        ...


class Forwarder:
    """Delivers what one process forwards to some targets."""

    def __init__(
        self,
        targets: Iterable[Target],
        receipts: Receipts,
        sender: SendsParcels,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        *,
        channels: Iterable[Target] = (),
    ) -> None:
        """`clock` returns seconds since 1970, `jitter` a random number from 0 to 1.

        `channels` are sent messages of alerts: they get no runs, and so have no start.
        """
        self._receipts = receipts
        self._sender = sender
        self._clock = clock
        self._jitter = jitter
        self._active = {target.name: ActiveTarget(target) for target in (*targets, *channels)}
        self._without_start = {target.name for target in channels}
        self._starting: set[str] = set()
        """Targets whose start was written and has not been read back."""
        self._all_written = True
        self.wait = 0.0
        """In how many seconds another step may find something to do; infinite for never."""
        self.is_done = False
        """Whether nothing is in flight, and nothing is left that may be sent now."""
        self.newly_started: list[str] = []
        """Targets that this process saw first, and that get no older runs."""

    def step(self, connection: sqlite3.Connection) -> None:
        """Record results, and send what may be sent now. Raises sqlite3.Error, OSError.

        The log has been read to its end, with all receipts that it holds.
        """
        now = self._clock()
        for active in self._active.values():
            active.load(connection)
        was_written, self._all_written = self._all_written, self._receipts.flush()
        if was_written:
            # These receipts were in the log before it was read: the outbox knows of them.
            for active in self._active.values():
                active.settling.clear()
        self._start_new_targets(connection)
        self._record(connection, self._sender.outcomes(), now)
        if self._all_written:
            self._send(connection, now)
        self._look_ahead(connection, now)

    def record_last(self, connection: sqlite3.Connection) -> None:
        """Record the results of the attempts that have ended, and send nothing more."""
        self._record(connection, self._sender.outcomes(), self._clock())

    def _start_new_targets(self, connection: sqlite3.Connection) -> None:
        """Write into the log that a target starts now, if this is the first we see of it."""
        started = target_starts(connection)
        self._starting -= started.keys()
        new = self._active.keys() - self._without_start - started.keys() - self._starting
        if not new:
            return
        self._starting |= new
        events = []
        for name in sorted(new):
            # One whose own start was pruned goes on where it was.
            goes_on = has_deliveries(connection, name)
            events.append(start_of_target(name, with_history=goes_on))
            self.newly_started += [] if goes_on else [name]
        written = self._receipts.write(events)
        self._all_written = self._all_written and written

    def _record(self, connection: sqlite3.Connection, outcomes: list[Outcome], now: float) -> None:
        if not outcomes:
            return
        # In memory first: if the rest fails, nothing counts as in flight that is not any more.
        recorded = [
            (parcel, self._active[parcel.target].record_result(parcel, result, now, self._jitter()))
            for parcel, result in outcomes
        ]
        # Then the log: if this process dies here, the receipt is folded next time.
        self._all_written = self._receipts.write(receipt_of(*outcome) for outcome in outcomes)
        with transaction(connection):
            for parcel, again_at in recorded:
                if again_at is not None:
                    queue.record_attempt(connection, parcel, again_at)
            for active in self._active.values():
                save_state(connection, active.state)

    def _send(self, connection: sqlite3.Connection, now: float) -> None:
        for active in self._active.values():
            active.notice_retry(connection)
            parcels = active.next_parcels(connection, now)
            if not parcels:
                continue
            with transaction(connection):
                for parcel in parcels:
                    # If this process dies, it is as if the attempt had failed in the end.
                    rest = backoff(parcel.attempt, self._jitter())
                    queue.record_attempt(connection, parcel, now + rest)
            for parcel in parcels:
                active.record_sent(parcel)
                self._sender.send(active.target, parcel)

    def _look_ahead(self, connection: sqlite3.Connection, now: float) -> None:
        self.wait, self.is_done = math.inf, self._all_written and not self._starting
        if self._starting:
            self.wait = 0.0 if self._all_written else 1.0
        for active in self._active.values():
            self.wait = min(self.wait, self._wait_of(connection, active, now))
            if active.in_flight or active.settling:
                self.is_done = False
            elif not active.breaker.is_blocked(now) and not active.breaker.capacity(now):
                is_left = queue.is_any_due(connection, active.target.name, now)
                self.is_done = self.is_done and not is_left

    def _wait_of(self, connection: sqlite3.Connection, active: ActiveTarget, now: float) -> float:
        if active.settling:
            # The next pass reads the receipts, if the log could be written.
            return 0.0 if self._all_written else 1.0
        if not active.breaker.capacity(now):
            return active.breaker.wait(now)
        # What may be tried by now waits for what is in flight, whose outcome wakes us.
        moment = queue.next_due(connection, active.target.name, now)
        return math.inf if moment is None else moment - now
