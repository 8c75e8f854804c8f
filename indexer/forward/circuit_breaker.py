"""The circuit breaker and rate limit of one target. Pure.

Used by the forwarder. It bounds how many parcels are in flight and how many are sent per second.
After several failures in a row it trips: one probe at a time is sent, with exponential backoff
between probes, until one succeeds. A target that rejects our credentials is paused. The clock and
the jitter are arguments.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Optional

from indexer.outbox.attempt import DELIVERED, FAILED, REJECTED, UNAUTHORIZED, AttemptResult
from indexer.outbox.backoff import MAX_RETRY_AFTER_SECONDS, backoff, has_come

FAILURES_TO_TRIP = 5
"""This many failures in a row mean that the target is down, rather than one payload bad."""
MAX_BLOCKED_SECONDS = 300.0
PAUSE_SECONDS = 3600.0
"""How often a paused target is tried again by itself."""

OPEN, DOWN, PAUSED = "open", "down", "paused"
"""What users see. `open` means that the target accepts runs (electricians call that closed)."""


class BreakerState(NamedTuple):
    """What a circuit breaker must remember across restarts."""

    failures: int = 0
    """In a row, of all parcels together."""
    blocked_until: float = 0.0
    """In seconds since 1970."""
    is_paused: bool = False


class CircuitBreaker:
    """The circuit breaker of one target. Times are in seconds since 1970."""

    def __init__(self, rate: float, in_flight: int, state: Optional[BreakerState] = None) -> None:
        """Allow `rate` parcels per second, and at most `in_flight` at once."""
        self._rate = rate
        self._max_in_flight = in_flight
        self._in_flight = 0
        self._tokens = float(in_flight)
        self._filled_at = 0.0
        self.state = state or BreakerState()

    @property
    def condition(self) -> str:
        """`open`, `down` or `paused`."""
        if self.state.is_paused:
            return PAUSED
        return DOWN if self.state.failures >= FAILURES_TO_TRIP else OPEN

    @property
    def is_probing(self) -> bool:
        """Whether the next parcel only finds out whether the target is back."""
        return self.condition != OPEN

    @property
    def probe_rank(self) -> int:
        """Which of the waiting runs the next probe should try, counted from the oldest.

        0, then 0 1, then 0 1 2, and so on: every waiting run is tried again and again, the oldest
        most often. So a run that its target accepts at the n-th attempt gets there, whatever
        other runs fail for ever and however many arrive.
        """
        probes = max(0, self.state.failures - FAILURES_TO_TRIP)
        sweep = (math.isqrt(8 * probes + 1) - 1) // 2
        return probes - sweep * (sweep + 1) // 2

    def is_blocked(self, now: float) -> bool:
        """Return whether something other than the rate limit holds parcels back."""
        return self.is_probing or not has_come(self.state.blocked_until, now)

    def capacity(self, now: float) -> int:
        """Return how many parcels may be sent now."""
        if not has_come(self.state.blocked_until, now):
            return 0
        if self.is_probing:
            return int(self._in_flight == 0)
        self._refill(now)
        return max(0, min(self._max_in_flight - self._in_flight, int(self._tokens)))

    def wait(self, now: float) -> float:
        """Return in how many seconds to ask again, unless a result comes first."""
        if self._in_flight >= (1 if self.is_probing else self._max_in_flight):
            return math.inf
        if not has_come(self.state.blocked_until, now):
            return self.state.blocked_until - now
        if self._tokens >= 1 or self.is_probing:
            return 0.0
        return (1 - self._tokens) / self._rate

    def record_sent(self) -> None:
        """Count a parcel that is sent now."""
        self._in_flight += 1
        self._tokens = max(0.0, self._tokens - 1)

    def record_result(self, result: AttemptResult, now: float, jitter: float) -> None:
        """Count the result of a parcel that was sent."""
        self._in_flight -= 1
        if result.outcome in (DELIVERED, REJECTED):
            # A target that rejects one payload works.
            self.state = BreakerState()
        elif result.outcome == UNAUTHORIZED:
            self.state = BreakerState(0, now + PAUSE_SECONDS, is_paused=True)
        elif result.outcome == FAILED:
            self._record_failure(result, now, jitter)

    def allow_probe(self) -> None:
        """Allow a probe at once: somebody says that the target is fixed."""
        self.state = self.state._replace(blocked_until=0.0)

    def _record_failure(self, result: AttemptResult, now: float, jitter: float) -> None:
        failures, blocked_until = self.state.failures + 1, self.state.blocked_until
        if failures >= FAILURES_TO_TRIP:
            probes = failures - FAILURES_TO_TRIP + 1
            blocked_until = now + backoff(probes, jitter, MAX_BLOCKED_SECONDS)
        if result.retry_after is not None:
            retry_after = min(result.retry_after, MAX_RETRY_AFTER_SECONDS)
            blocked_until = max(blocked_until, now + retry_after)
        self.state = self.state._replace(failures=failures, blocked_until=blocked_until)

    def _refill(self, now: float) -> None:
        # A clock that was set back adds no tokens.
        passed = max(0.0, now - self._filled_at)
        self._filled_at = now
        self._tokens = min(float(self._max_in_flight), self._tokens + passed * self._rate)
