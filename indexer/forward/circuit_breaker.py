"""The gate: how much may go to one target now, and when to ask again.

Called by the forwarder. It bounds what is under way and how fast it goes, stays shut while the
target is down but for one probe at a time, and while the target does not let us in. Pure: time
and dice are given, and it does not know what is delivered.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Optional

from indexer.outbox.backoff import LONGEST_ASKED_SECONDS, backoff, is_time
from indexer.outbox.verdict import DELIVERED, FAILED, PARKED, REFUSED, Verdict

FAILURES_TO_SHUT = 5
"""So many failures in a row mean that the target is down, and not one parcel bad."""
LONGEST_SHUT_SECONDS = 300.0
REFUSED_SECONDS = 3600.0
"""How rarely a target is tried that does not let us in."""

OPEN, DOWN, PAUSED = "open", "down", "paused"


class GateState(NamedTuple):
    """What a gate knows that a restart must not forget."""

    failures: int = 0
    """In a row, of all parcels together."""
    shut_until: float = 0.0
    is_paused: bool = False


class Gate:
    """The gate of one target. Times are in seconds since 1970."""

    def __init__(self, rate: float, in_flight: int, state: Optional[GateState] = None) -> None:
        """Let `rate` parcels a second pass, and have at most `in_flight` under way."""
        self._rate = rate
        self._in_flight = in_flight
        self._under_way = 0
        self._tokens = float(in_flight)
        self._filled_at = 0.0
        self.state = state or GateState()

    @property
    def condition(self) -> str:
        """`open`, `down` or `paused`."""
        if self.state.is_paused:
            return PAUSED
        return DOWN if self.state.failures >= FAILURES_TO_SHUT else OPEN

    @property
    def is_probing(self) -> bool:
        """Whether what goes next only finds out if the target is back."""
        return self.condition != OPEN

    def is_shut(self, now: float) -> bool:
        """Whether something keeps parcels back other than the rate."""
        return self.is_probing or not is_time(self.state.shut_until, now)

    def room(self, now: float) -> int:
        """Return how many parcels may go now."""
        if not is_time(self.state.shut_until, now):
            return 0
        if self.is_probing:
            return int(self._under_way == 0)
        self._fill(now)
        return max(0, min(self._in_flight - self._under_way, int(self._tokens)))

    def wait(self, now: float) -> float:
        """Return in how many seconds to ask again, if nothing is heard before."""
        if self._under_way >= (1 if self.is_probing else self._in_flight):
            return math.inf
        if not is_time(self.state.shut_until, now):
            return self.state.shut_until - now
        if self._tokens >= 1 or self.is_probing:
            return 0.0
        return (1 - self._tokens) / self._rate

    def sent(self) -> None:
        """Count one parcel that goes."""
        self._under_way += 1
        self._tokens = max(0.0, self._tokens - 1)

    def learned(self, verdict: Verdict, now: float, dice: float) -> None:
        """Take in what became of a parcel."""
        self._under_way -= 1
        if verdict.outcome in (DELIVERED, PARKED):
            # It answers sensibly: what it did not want is that parcel's matter.
            self.state = GateState()
        elif verdict.outcome == REFUSED:
            self.state = GateState(0, now + REFUSED_SECONDS, is_paused=True)
        elif verdict.outcome == FAILED:
            self._failed(verdict, now, dice)

    def lift(self) -> None:
        """Let a probe go at once: somebody says that what was wrong is mended."""
        self.state = self.state._replace(shut_until=0.0)

    def _failed(self, verdict: Verdict, now: float, dice: float) -> None:
        failures, shut_until = self.state.failures + 1, self.state.shut_until
        if failures >= FAILURES_TO_SHUT:
            times = failures - FAILURES_TO_SHUT + 1
            shut_until = now + backoff(times, dice, LONGEST_SHUT_SECONDS)
        if verdict.retry_after is not None:
            shut_until = max(shut_until, now + min(verdict.retry_after, LONGEST_ASKED_SECONDS))
        self.state = self.state._replace(failures=failures, shut_until=shut_until)

    def _fill(self, now: float) -> None:
        # A clock that was put back gives nothing, and from then on as ever.
        passed = max(0.0, now - self._filled_at)
        self._filled_at = now
        self._tokens = min(float(self._in_flight), self._tokens + passed * self._rate)
