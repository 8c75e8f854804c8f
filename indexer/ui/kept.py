"""Results that are kept for a while: the longer one took, the longer it is good enough.

Called by the pages for sums over many runs, which open pages ask for at every change. Where they
are quick they are always new.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, TypeVar

Result = TypeVar("Result")

_TIMES = 20.0
"""A result is kept for this many times the time that it took."""
_LONGEST = 30.0
_MOST = 100


class Kept:
    """Results by name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: dict[str, tuple[float, Any]] = {}

    def get(self, name: str, make: Callable[[], Result]) -> Result:
        """Return a result that is good still, or one that is made now."""
        until, result = self._results.get(name, (0.0, None))
        began = time.monotonic()
        if began < until:
            kept: Result = result
            return kept
        made = make()
        took = time.monotonic() - began
        with self._lock:
            if len(self._results) >= _MOST:
                self._results.clear()
            self._results[name] = (time.monotonic() + min(_LONGEST, took * _TIMES), made)
        return made
