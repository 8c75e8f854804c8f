"""A file descriptor that is closed when nothing refers to its object any longer.

Used for every file of the log. A signal handler may raise between any two steps of
Python code; a descriptor that some step has to close is then left open, with the lock that it
holds. Here opening and closing are one step each, in C: neither can be torn.
"""

from __future__ import annotations

import functools
import operator
import os
import weakref
from collections import deque
from typing import Callable

_NONE = -1


class _Closer(weakref.ref["Descriptor"]):
    """Calls its `close` when the descriptor's object is gone; nothing until it has one."""

    close: Callable[[], object] = int


# A weak reference that goes together with its object is not called: these outlive them.
_closers: set[_Closer] = set()
_call_close = operator.methodcaller("close")
_successor = (1).__add__


class Descriptor:
    """At most one open file descriptor, and the duty to close it."""

    __slots__ = ("__weakref__", "_numbers")

    def __init__(self) -> None:
        # In one step, for another thread may open a file meanwhile.
        for closer in tuple(_closers):
            if closer() is None:
                _closers.discard(closer)
        self._numbers: list[int] = []
        closer = _Closer(self, _call_close)
        # `closerange` ignores what somebody else has closed already.
        closing = map(os.closerange, self._numbers, map(_successor, self._numbers))
        closer.close = functools.partial(deque, closing, 0)
        _closers.add(closer)

    @property
    def number(self) -> int:
        """The descriptor; -1 if there is none."""
        return self._numbers[-1] if self._numbers else _NONE

    def open(self, path: os.PathLike[str], flags: int, mode: int) -> int:
        """Open `path` as `os.open` does; never as 0, 1 or 2: a host may still print there.

        Raises OSError.
        """
        numbers = self._numbers
        numbers.extend(map(os.open, (path,), (flags,), (mode,)))
        while numbers[-1] <= 2:
            # The low number is taken meanwhile, so that this gets the next.
            numbers.extend(map(os.open, (path,), (flags,), (mode,)))
        while len(numbers) > 1:
            deque(map(os.close, map(list.pop, (numbers,), (0,))), 0)
        return numbers[0]

    def disown(self) -> None:
        """Close nothing: somebody else closed the descriptor, and the number is theirs now."""
        self._numbers.clear()
