"""Keep lines that could be written nowhere in memory until they can.

Called by the writer. Bounded: what does not fit is counted as dropped, never forgotten
in silence.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, Optional

MAX_BACKLOG_BYTES = 16 * 1024 * 1024


class Waiting(NamedTuple):
    """Encoded lines with all that is needed to write them, now or later."""

    lines: bytes
    day: str
    """UTC day as `YYYYMMDD`."""
    events: int
    """How many events the lines hold."""
    sync: bool
    """Whether the disk has to have them, not only the kernel."""


class Backlog:
    """A bounded queue, safe between threads and in signal handlers."""

    def __init__(self, max_bytes: int = MAX_BACKLOG_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.RLock()
        self._queue: deque[Waiting] = deque()
        self._bytes = 0
        self.dropped = 0
        """Events let go since the process began."""
        self.was_used = False
        """Whether anything was ever kept or dropped: in most processes nothing is."""

    def __len__(self) -> int:
        return sum(entry.events for entry in list(self._queue))

    def _locked(self) -> AbstractContextManager[Any]:
        # A daemon thread that the exiting interpreter stopped may hold the lock forever.
        return self._lock if not sys.is_finalizing() else nullcontext()

    def keep(self, entry: Waiting) -> bool:
        """Queue `entry`, or count it as dropped when there is no room; say whether it is kept."""
        size = len(entry.lines)
        self.was_used = True
        with self._locked():
            if self._bytes + size > self._max_bytes:
                self.dropped += entry.events
                return False
            self._bytes += size
            self._queue.append(entry)
            return True

    def take(self) -> Optional[Waiting]:
        """Take the oldest entry out, or None when there is none."""
        with self._locked():
            if not self._queue:
                return None
            entry = self._queue.popleft()
            self._bytes = self._bytes - len(entry.lines) if self._queue else 0
            return entry

    def put_back(self, entry: Waiting) -> None:
        """Return what `take` gave, to the front. It had room, so it has room."""
        size = len(entry.lines)
        with self._locked():
            self._bytes += size
            self._queue.appendleft(entry)
