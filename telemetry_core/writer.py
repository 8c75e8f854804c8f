"""The writer: gets encoded lines into the log by the first way that works in time.

Shared log, else this process's own log, else the backlog. Called by every client of the
process; one writer serves one directory. It never raises for a failure of ours, and never
waits for a lock beyond the budget.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import threading
import time
from pathlib import Path
from typing import Any

from telemetry_core.backlog import Backlog, Waiting
from telemetry_core.clock import CLOCK
from telemetry_core.errors import BacklogFull, LockTimeout
from telemetry_core.event import WRITER_DROPPED, WRITER_SUBJECT, Event
from telemetry_core.line import encode
from telemetry_core.own_log import OwnLog
from telemetry_core.process import own_source
from telemetry_core.shared_log import SharedLog
from telemetry_core.storage import absolute

# After a vain wait for a lock that nobody made use of, the next calls only try it: a holder that
# is stopped for half a minute costs the agent one budget a second, not one an event.
_IMPATIENT_SECONDS = 1.0


class Writer:
    """Appends for one directory, from threads, signal handlers and forked children alike."""

    def __init__(self, directory: Path, host: str) -> None:
        self._directory = directory
        self._shared = SharedLog(directory)
        self._own = OwnLog(directory, host)
        self.after_fork()

    def after_fork(self) -> None:
        """Start anew in a forked child: descriptors, locks, backlog and counts are the parent's."""
        self._mutex = threading.RLock()
        self._appending = False
        self._impatient_until = 0.0
        self._backlog = Backlog()
        self._spilled = 0
        self._lock_timeouts = 0
        self._errors = 0
        self._last_error = ""
        self._said: set[tuple[type[Exception], Any]] = set()
        self._drops_told = 0
        self._shared.forget()

    def write(self, lines: bytes, day: str, events: int, sync: bool, budget: float) -> bool:
        """Write `lines`, and first what waits; return whether the log has them now.

        False means that they wait in memory or, when memory too is full, were dropped.
        """
        if self._backlog.was_used:
            budget = self._catch_up(budget)
        if self._append(lines, day, events, sync, budget):
            return True
        if not self._backlog.keep(Waiting(lines, day, events, sync)):
            self._note(BacklogFull(f"{self._backlog.dropped} events were dropped so far"))
        return False

    def _catch_up(self, budget: float) -> float:
        """Write what waits within `budget`; return what is left of it.

        What waits may be much: the rest of it goes with the next events.
        """
        deadline = time.monotonic() + budget
        self._flush(deadline, end=deadline)
        return _left(deadline)

    def flush(self, budget: float) -> bool:
        """Try to write what waits, oldest first; return whether nothing waits any longer."""
        return self._flush(time.monotonic() + budget, end=math.inf)

    def _flush(self, deadline: float, end: float) -> bool:
        """The same, waiting for locks until `deadline` and stopping at `end`, monotonic times."""
        while True:
            waiting = self._backlog.take()
            if waiting is None:
                self._tell_drops(deadline)
                return True
            written = False
            try:
                written = self._append(*waiting, _left(deadline))
            finally:
                # Also when a signal handler raises meanwhile: twice in the log is once in the
                # view, and not at all is lost.
                if not written:
                    self._backlog.put_back(waiting)
            if not written or time.monotonic() >= end:
                return False

    def stats(self) -> dict[str, Any]:
        """What happened to events that did not go the straight way, since the process began."""
        return {
            "events_spilled": self._spilled,
            "events_waiting": len(self._backlog),
            "events_dropped": self._backlog.dropped,
            "lock_timeouts": self._lock_timeouts,
            "write_errors": self._errors,
            "last_write_error": self._last_error,
        }

    def close(self, budget: float) -> None:
        """Write what waits and close the files; a later write opens them again."""
        if not self.flush(budget):
            self._note(BacklogFull(f"{len(self._backlog)} events could be written nowhere"))
        if self._mutex.acquire(timeout=budget):
            try:
                # A signal handler may close in the middle of this very thread's append, and the
                # number of a descriptor that is closed there may be another file's at once.
                if not self._appending:
                    self._shared.forget()
            finally:
                self._mutex.release()

    def _tell_drops(self, deadline: float) -> None:
        """Have the log itself hold how many events were let go in all, if it does not know."""
        told, dropped = self._drops_told, self._backlog.dropped
        if dropped == told:
            return
        # First of all: a signal handler that gets here as well has nothing left to tell.
        self._drops_told = dropped
        tick = CLOCK.tick()
        event = Event(
            tick.id,
            own_source(),
            WRITER_DROPPED,
            WRITER_SUBJECT,
            tick.time,
            {"events_dropped": dropped},
        )
        if not self._append(encode(event), tick.day, 1, sync=False, budget=_left(deadline)):
            self._drops_told = told

    def _append(self, lines: bytes, day: str, events: int, sync: bool, budget: float) -> bool:
        """Append to the shared log, or else to our own; return whether the kernel has it."""
        try:
            if self._impatient_until:
                budget = self._patience(budget)
            # Inside the `try`, for a signal handler may raise as soon as this has returned.
            if not self._mutex.acquire(blocking=False):
                budget = self._wait_for_mutex(budget)
            if not self._appending:
                # Else a signal handler interrupted this very thread's append: out of its way.
                try:
                    self._appending = True
                    self._shared.append(lines, day, budget, sync)
                finally:
                    self._appending = False
                return True
        except LockTimeout as error:
            self._lock_timeouts += 1
            if error.is_stuck and not self._impatient_until:
                self._impatient_until = time.monotonic() + _IMPATIENT_SECONDS
        except Exception as error:
            self._note(error)
        finally:
            try:
                self._mutex.release()
            except RuntimeError:
                # Not ours to release: it was not had in time, or was made anew by a fork.
                pass
        return self._append_own(lines, day, events, sync)

    def _patience(self, budget: float) -> float:
        """How long a lock may be waited for now, in seconds, after it was once in vain."""
        if time.monotonic() < self._impatient_until:
            return 0.0
        self._impatient_until = 0.0
        return budget

    def _wait_for_mutex(self, budget: float) -> float:
        """Take the mutex from another thread; return what is left of `budget`. Or LockTimeout."""
        deadline = time.monotonic() + budget
        if not self._mutex.acquire(timeout=budget):
            raise LockTimeout("another thread is writing")
        return _left(deadline)

    def _append_own(self, lines: bytes, day: str, events: int, sync: bool) -> bool:
        try:
            self._own.append(lines, day, sync)
        except Exception as error:
            self._note(error)
            return False
        self._spilled += events
        return True

    def _note(self, error: Exception) -> None:
        """Count a failure; say it once for each kind, on the host's own logging."""
        self._errors += 1
        self._last_error = f"{type(error).__name__}: {error}"
        kind = (type(error), getattr(error, "errno", None))
        if kind in self._said:
            return
        self._said.add(kind)
        # The interpreter may be shutting down, and a handler is the host's code: whatever they
        # raise must not keep the event from the next place to write it to.
        with contextlib.suppress(Exception):
            # Imported here: logging is large, and an agent whose events arrive needs none of it.
            import logging

            logging.getLogger("telemetry_core").warning(
                "events do not go straight to the log in %s: %s", self._directory, self._last_error
            )


def _left(deadline: float) -> float:
    """Return the seconds until `deadline`, a monotonic time; none are left after it."""
    return max(0.0, deadline - time.monotonic())


_WRITERS: dict[str, Writer] = {}


def writer_for(directory: Path, host: str) -> Writer:
    """Return the process's one writer for `directory`.

    One, because two descriptors of one process would lock each other out like strangers.
    """
    path = absolute(str(directory))
    # Where names differ in more than case only: one directory, however it is spelled.
    key = os.path.normcase(path)
    writer = _WRITERS.get(key)
    return writer or _WRITERS.setdefault(key, Writer(path, host))


def _after_fork() -> None:
    for writer in list(_WRITERS.values()):
        writer.after_fork()


def _at_exit() -> None:
    for writer in list(_WRITERS.values()):
        writer.close(budget=1.0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
