"""A target as one process delivers to it: its circuit breaker, its state, what is in flight.

Used by the forwarder, which decides when to send; this remembers what follows from each result.
"""

from __future__ import annotations

import logging
import sqlite3
from typing import Optional

from indexer.forward.circuit_breaker import OPEN, PAUSED, CircuitBreaker
from indexer.forward.target_state import TargetState, load_state, save_state
from indexer.outbox import queue
from indexer.outbox.attempt import DELIVERED, FAILED, REJECTED, UNAUTHORIZED, AttemptResult
from indexer.outbox.backoff import backoff
from indexer.outbox.parcel import Parcel
from indexer.outbox.target import CLICKHOUSE, Target
from indexer.outbox.target_events import last_retry_event
from telemetry_core.timestamp import format_time, moment_of

logger = logging.getLogger(__name__)


class ActiveTarget:
    """One target while a process delivers to it."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.breaker = CircuitBreaker(target.rate, target.in_flight)
        self.state = TargetState(target.name)
        self.in_flight: set[str] = set()
        """Runs of which a parcel is being sent."""
        self.settling: set[str] = set()
        """Runs that were delivered or rejected, until the receipt has been read back."""
        self._is_loaded = False
        self._knows_last_retry = False
        """Whether `state` has the last retry event from before the breaker tripped."""

    def load(self, connection: sqlite3.Connection) -> None:
        """Continue where the last process stopped."""
        if not self._is_loaded:
            self.state = load_state(connection, self.target.name)
            self.breaker.state = self.state.breaker
            self._knows_last_retry = self.breaker.is_probing
            self._is_loaded = True

    def next_parcels(self, connection: sqlite3.Connection, now: float) -> list[Parcel]:
        """Return the parcels to send now."""
        capacity = self.breaker.capacity(now)
        if not capacity:
            return []
        busy = self.in_flight | self.settling
        name = self.target.name
        if self.breaker.is_probing:
            return queue.next_probe(connection, name, now, self.breaker.probe_rank, busy)
        return queue.next_parcels(connection, name, now, capacity, busy)

    def record_sent(self, parcel: Parcel) -> None:
        """Record that a parcel is being sent."""
        self.breaker.record_sent()
        self.in_flight.add(parcel.run_id)

    def record_result(
        self, parcel: Parcel, result: AttemptResult, now: float, jitter: float
    ) -> Optional[float]:
        """Record a result; return when the parcel may be tried again, None for never."""
        was_probing = self.breaker.is_probing
        self.in_flight.discard(parcel.run_id)
        self.record_answer(result, now, jitter)
        if result.outcome == REJECTED:
            name, run_id = self.target.name, parcel.run_id
            logger.warning("%s rejected run %s (%s)", name, run_id, result.reason)
        if result.outcome in (DELIVERED, REJECTED):
            self.settling.add(parcel.run_id)
            return None
        if result.outcome == UNAUTHORIZED or was_probing:
            # The circuit breaker waits; it is not this parcel's fault.
            return now
        return now + (result.retry_after or backoff(parcel.attempt, jitter))

    def record_answer(self, result: AttemptResult, now: float, jitter: float) -> None:
        """Record a result that says nothing of a parcel."""
        was = self.breaker.condition
        self.breaker.record_result(result, now, jitter)
        self._update_state(result, now)
        self._log(result, was)

    def notice_retry(self, connection: sqlite3.Connection) -> None:
        """Allow a probe if somebody asked for it since the circuit breaker tripped."""
        if not self.breaker.is_probing:
            self._knows_last_retry = False
            return
        retry_event_id = last_retry_event(connection, self.target.name)
        if retry_event_id == self.state.retry_event_id and self._knows_last_retry:
            return
        if self._knows_last_retry:
            self.breaker.allow_probe()
        # A retry that ended an earlier pause does not end this one.
        self._knows_last_retry = True
        self.state = self.state.with_breaker(self.breaker.state)._replace(
            retry_event_id=retry_event_id
        )
        save_state(connection, self.state)

    @property
    def _wares(self) -> str:
        return "lines" if self.target.kind == CLICKHOUSE else "runs"

    def _update_state(self, result: AttemptResult, now: float) -> None:
        state = self.state.with_breaker(self.breaker.state)
        time = format_time(moment_of(now))
        if result.outcome == DELIVERED:
            state = state._replace(last_error=None, last_error_at=None, last_delivered_at=time)
        elif result.outcome in (FAILED, UNAUTHORIZED):
            state = state._replace(last_error=result.reason, last_error_at=time)
        self.state = state

    def _log(self, result: AttemptResult, was: str) -> None:
        name, condition, reason = self.target.name, self.breaker.condition, result.reason
        if condition == was:
            return
        if condition == OPEN:
            logger.info("%s accepts %s again", name, self._wares)
        elif condition == PAUSED:
            if self.target.kind == CLICKHOUSE:
                logger.error("%s is paused: %s", name, reason)
            else:
                logger.error("%s rejected our credentials (%s): fix the token", name, reason)
        else:
            logger.error("%s is down (%s); it is tried again later", name, reason)
