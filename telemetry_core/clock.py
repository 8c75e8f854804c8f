"""The clock: event ids with their times, both rising strictly within a process.

Called by the client for every event. One per process, shared by all its clients, so that
no two events of a process are ever told apart wrongly, even when the wall clock steps back.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from contextlib import nullcontext
from typing import NamedTuple

_RANDOM_BITS = 42
_COUNTER_MASK = (1 << 20) - 1
_VERSION_7 = 0x7 << 12
_VARIANT = 0b10 << 62


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

    def __init__(self) -> None:
        self._last = 0
        self._text_of_second = (-1, "")
        self.reseed()

    def reseed(self) -> None:
        """Start over as a process of its own: after a fork the child must not share bits."""
        self._lock = threading.RLock()
        self._counter = itertools.count(int.from_bytes(os.urandom(3), "big"))
        self._process_bits = int.from_bytes(os.urandom(8), "big") >> (64 - _RANDOM_BITS)

    def tick(self) -> Tick:
        """Return the present instant, or the next that is free."""
        # A daemon thread that the ending interpreter stopped may have the lock, and for ever.
        with self._lock if not sys.is_finalizing() else nullcontext():
            now = time.time_ns() // 1000
            # No call between reading the last tick and storing this one: Python runs signal
            # handlers after calls, and a handler's tick would be given out twice.
            self._last = micros = now if now > self._last else self._last + 1
        second, fraction = divmod(micros, 1_000_000)
        known_second, text = self._text_of_second
        if second != known_second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._text_of_second = (second, text)
        tail = (next(self._counter) & _COUNTER_MASK) << _RANDOM_BITS | self._process_bits
        millis, sub = divmod(micros, 1000)
        hexed = f"{millis << 80 | (_VERSION_7 | sub << 2) << 64 | _VARIANT | tail:032x}"
        return Tick(
            f"{hexed[:8]}-{hexed[8:12]}-{hexed[12:16]}-{hexed[16:20]}-{hexed[20:]}",
            f"{text}.{fraction:06d}Z",
            f"{text[:4]}{text[5:7]}{text[8:10]}",
        )


CLOCK = Clock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=CLOCK.reseed)
