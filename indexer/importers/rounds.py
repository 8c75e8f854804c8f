"""Follow session files while they grow.

Called by `telemetry import --watch` and by the daemon. All files are looked at now and then, those
that were written to lately every second: that is what few sessions at a time need, and thousands of
old ones cost next to nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from heapq import nlargest
from operator import attrgetter
from typing import Callable, NamedTuple

from indexer.importers.importer import Imported, Importer
from indexer.semantics.sessions.tool import Tool

ALL_SECONDS = 30.0
"""Between two looks at all files."""
LIVE_SECONDS = 1.0
"""Between two looks at the files that are being written."""
_LIVELY_SECONDS = 600.0
_MOST_LIVELY = 200
"""Of more, as after a backup was restored, those written to last are looked at every second."""
_SLICE_SECONDS = 0.5
"""What the daemon's loop gives a round at a time, for its passes must not wait."""


class Rounds:
    """When to look at which files."""

    def __init__(self, importer: Importer, should_stop: Callable[[], bool]) -> None:
        self._importer = importer
        self._should_stop = should_stop
        self._lively: list[_Lively] = []
        self._next_all = 0.0
        self._next_lively = 0.0
        self._rest: Iterator[tuple[Tool, str]] = iter(())
        self._is_under_way = False

    @property
    def wait(self) -> float:
        """Seconds until there is something to do."""
        if self._is_under_way:
            return 0.0
        now = time.monotonic()
        due = min(self._next_all, self._next_lively) if self._lively else self._next_all
        return max(0.0, due - now)

    def step(self) -> Imported:
        """Do what is due, for half a second at most. Raises AlreadyRunning or TelemetryError."""
        deadline = time.monotonic() + _SLICE_SECONDS
        if not self._is_under_way and not self._begin():
            return Imported()
        taken = _Taken(self._rest)
        done = self._importer.import_files(
            taken, lambda: self._should_stop() or time.monotonic() >= deadline
        )
        self._is_under_way = not taken.is_at_end
        return done

    def _begin(self) -> bool:
        now = time.monotonic()
        if now >= self._next_all:
            self._next_all = now + ALL_SECONDS
            self._lively = []
            self._rest = self._noting_lively()
        elif self._lively and now >= self._next_lively:
            self._rest = iter([(one.tool, one.path) for one in self._lively])
        else:
            return False
        self._next_lively = now + LIVE_SECONDS
        return True

    def _noting_lively(self) -> Iterator[tuple[Tool, str]]:
        since = time.time() - _LIVELY_SECONDS
        for tool, path in self._importer.candidates():
            written = _written(path)
            if written >= since:
                self._lively.append(_Lively(tool, path, written))
            yield tool, path
        self._lively = nlargest(_MOST_LIVELY, self._lively, key=attrgetter("written"))


class _Lively(NamedTuple):
    """A file that was written to lately."""

    tool: Tool
    path: str
    written: float


class _Taken:
    """Files one by one; the one at which the work stopped comes up again."""

    def __init__(self, files: Iterator[tuple[Tool, str]]) -> None:
        self._files = files
        self.is_at_end = False

    def __iter__(self) -> Iterator[tuple[Tool, str]]:
        return self

    def __next__(self) -> tuple[Tool, str]:
        try:
            return next(self._files)
        except StopIteration:
            self.is_at_end = True
            raise


def _written(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
