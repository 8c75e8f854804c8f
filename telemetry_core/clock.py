"""Make event ids with their times, both rising strictly within a process.

Called by the client for every event. One per process, shared by all its clients, so that
events of one process are always in the right order, even when the wall clock steps back.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple, Optional

from telemetry_core.speed import new_ticker

if TYPE_CHECKING:
    from telemetry_core._speed import Ticker

_RANDOM_BITS = 42
# The bits of the id that one digit holds together with those of the counter, and the rest.
_REST_BITS = 40
# Five small numbers: one of 128 bits, cut into pieces, takes longer, and so do f-strings.
_ID = "%08x-%04x-7%03x-%04x-%02x%s"
_TIME = "%s.%06dZ"


class Tick(NamedTuple):
    """One instant, given to one event and to no other."""

    id: str
    time: str
    day: str
    """UTC day as `YYYYMMDD`: names the file that the event belongs to."""


class Clock:
    """Issues ticks. The microsecond rises by at least one with each, so time and id do too.

    The id is a UUIDv7 by RFC 9562's method 3: 48 bits of milliseconds, the microsecond in the
    12 bits after the version, then 20 bits of a counter and 42 random bits of this process.
    The counter keeps ids apart even if a signal handler ticks in the middle of a tick.
    """

    ticker: Optional[Ticker] = None
    """What makes the ticks in C; None where Python makes them."""

    def __init__(self) -> None:
        self._last = 0
        self._of_second = (-1, "", "")
        self.reseed()

    def reseed(self) -> None:
        """Start over as a process of its own: after a fork the child must not share bits."""
        self._lock = threading.RLock()
        count, process_bits = _random_bits()
        self._counter = itertools.count(count)
        self._first_bits = process_bits >> _REST_BITS
        self._rest = f"{process_bits & ((1 << _REST_BITS) - 1):010x}"

    def tick(self) -> Tick:
        """Return the present instant, or the next that is free."""
        return Tick(*self.next())

    def next(self) -> tuple[str, str, str]:
        """Return the same as a plain tuple, which is made in no time, for what every event does."""
        # A daemon thread that the exiting interpreter stopped may hold the lock forever.
        with self._lock if not sys.is_finalizing() else nullcontext():
            now = time.time_ns() // 1000
            # No call between reading the last tick and storing this one: Python runs signal
            # handlers after calls, and a handler's tick would be given out twice.
            self._last = micros = now if now > self._last else self._last + 1
        second, fraction = divmod(micros, 1_000_000)
        known, text, day = self._of_second
        if second != known:
            text, day = self._tell(second)
        millis, count = micros // 1000, next(self._counter)
        event_id = _ID % (
            millis >> 16,
            millis & 0xFFFF,
            fraction % 1000 << 2,
            0x8000 | count >> 6 & 0x3FFF,
            count << 2 & 0xFC | self._first_bits,
            self._rest,
        )
        return event_id, _TIME % (text, fraction), day

    def _tell(self, second: int) -> tuple[str, str]:
        """Return a second as text, and its day; the clock is asked for the same one again."""
        moment = time.gmtime(second)
        text, day = time.strftime("%Y-%m-%dT%H:%M:%S", moment), time.strftime("%Y%m%d", moment)
        self._of_second = (second, text, day)
        return text, day


class CompiledClock(Clock):
    """Issues the same ticks, made in C. No other thread and no signal handler runs meanwhile."""

    def __init__(self, ticker: Ticker) -> None:
        self.ticker = ticker
        self.reseed()

    def reseed(self) -> None:
        """Start over as a process of its own."""
        self.ticker.seed(*_random_bits())  # type: ignore[union-attr]  # it has one

    def next(self) -> tuple[str, str, str]:
        """Return id, time and day."""
        # Asked here: what froze the clock has frozen ours.
        return self.ticker.next(time.time_ns())  # type: ignore[union-attr]  # it has one


def _random_bits() -> tuple[int, int]:
    """Return where the counter of a process begins, and the bits that all of its ids have."""
    count = int.from_bytes(os.urandom(3), "big")
    return count, int.from_bytes(os.urandom(8), "big") >> (64 - _RANDOM_BITS)


def new_clock() -> Clock:
    """Return a clock: the compiled one, where the extension is used."""
    ticker = new_ticker()
    return Clock() if ticker is None else CompiledClock(ticker)


CLOCK = new_clock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=CLOCK.reseed)
