"""Span ids: 16 hexadecimal digits, unique within a run whichever of its processes makes them.

32 random bits of the process, then a counter that starts at random. Called by spans.
"""

from __future__ import annotations

import itertools
import os


class SpanIds:
    """Issues span ids, from threads and signal handlers alike."""

    def __init__(self) -> None:
        self.reseed()

    def reseed(self) -> None:
        """Start over as a process of its own: after a fork the child must not share bits."""
        self._process = os.urandom(4).hex()
        self._counter = itertools.count(int.from_bytes(os.urandom(4), "big"))

    def next(self) -> str:
        """Return an id that this process has not issued before."""
        number = next(self._counter) & 0xFFFFFFFF
        return self._process + number.to_bytes(4, "big").hex()


SPAN_IDS = SpanIds()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SPAN_IDS.reseed)
