"""Get encoded lines into the log by the first way that works in time.

Shared log, else this process's spill file, else the backlog. Called by every client of the
process; one writer serves one directory. It never raises for its own failures, and never
waits for a lock beyond the budget.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from telemetry_core import notices
from telemetry_core.backlog import Backlog, Waiting
from telemetry_core.clock import CLOCK
from telemetry_core.errors import BacklogFull, LockTimeout
from telemetry_core.event import WRITER_DROPPED, WRITER_SUBJECT, Event
from telemetry_core.fast_append import new_fast_append
from telemetry_core.guard import is_foreign
from telemetry_core.line import encode
from telemetry_core.process import own_source
from telemetry_core.shared_log import SharedLog
from telemetry_core.spill_file import SpillFile

# After a timeout on a lock whose holder does not write, the next calls only try it: a holder that
# is stopped for half a minute costs the agent one budget per second, not one per event.
_IMPATIENT_SECONDS = 1.0
# Of what waits, the entries that go with one new event.
_MOST_AT_ONCE = 1_000


class Writer:
    """Appends for one directory, from threads, signal handlers and forked children alike."""

    def __init__(self, directory: Path, host: str) -> None:
        self.directory = directory
        self._host = host
        self.fast = new_fast_append()
        """The way by the extension in C, to be tried first; None where it is not used."""
        self._shared = SharedLog(directory, self.fast)
        self._spill = SpillFile(directory, host)
        self.after_fork()

    def redirect(self, directory: Path) -> None:
        """Append in another directory from now on: for tests of code that has a client already."""
        with self._mutex:
            self._shared.forget()
            self.directory = directory
            self._shared = SharedLog(directory, self.fast)
            self._spill = SpillFile(directory, self._host)

    def after_fork(self) -> None:
        """Reset in a forked child: descriptors, locks, backlog and counts are the parent's."""
        self._mutex = threading.RLock()
        self._appending = False
        self._impatient_until = 0.0
        self._backlog = Backlog()
        self._spilled = 0
        self._lock_timeouts = 0
        self._errors = 0
        self._last_error = ""
        self._said: set[tuple[type[Exception], Any]] = set()
        self._drops_recorded = 0
        self._shared.forget()
        if self.fast is not None:
            self.fast.begin(self._mutex)

    def write(self, lines: bytes, day: str, events: int, sync: bool, budget: float) -> bool:
        """Write `lines`, and first what waits; return whether the log has them now.

        False means that they wait in memory or, when memory too is full, were dropped. They wait
        as well when something interrupts this with an exception, which then passes.
        """
        try:
            if self._backlog.was_used:
                budget = self._flush(budget, everything=False)[1]
            if self._append(lines, day, events, sync, budget):
                return True
        except BaseException:
            # Whether they were written is not known. Twice in the log is once in the database,
            # and not at all is lost.
            self._keep(Waiting(lines, day, events, sync))
            raise
        if not self._keep(Waiting(lines, day, events, sync)):
            self._note(BacklogFull(f"{self._backlog.dropped} events were dropped so far"))
        return False

    def _keep(self, waiting: Waiting) -> bool:
        """Have lines wait; until they are written, nothing goes past them by the extension."""
        is_kept = self._backlog.keep(waiting)
        if self.fast is not None:
            self.fast.take_over()
        return is_kept

    def _has_all(self) -> bool:
        """Whether nothing waits to be written, and every drop is recorded."""
        backlog = self._backlog
        return not backlog.was_used or (
            not len(backlog) and backlog.dropped == self._drops_recorded
        )

    def flush(self, budget: float) -> bool:
        """Try to write what waits, oldest first; return whether nothing waits any longer."""
        return self._flush(budget, everything=True)[0]

    def _flush(self, budget: float, everything: bool) -> tuple[bool, float]:
        """Write what waits; return whether nothing does any longer, and what is left of `budget`.

        What waits may be much: unless `everything` is asked for, the rest of it goes with the
        next events. The clock may stand still, so entries are counted too, and after one
        lock timeout no lock is waited for again.
        """
        written = 0
        while True:
            waiting = self._backlog.take()
            if waiting is None:
                self._record_drops(budget)
                return True, budget
            before, timeouts = time.monotonic(), self._lock_timeouts
            is_written = False
            try:
                is_written = self._append(*waiting, budget)
            finally:
                # Also when a signal handler raises meanwhile.
                if not is_written:
                    self._backlog.put_back(waiting)
            spent = time.monotonic() - before
            budget = 0.0 if self._lock_timeouts > timeouts else max(0.0, budget - max(0.0, spent))
            written += 1
            is_enough = not everything and (budget <= 0.0 or written >= _MOST_AT_ONCE)
            if not is_written or is_enough:
                return False, budget

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

    def _record_drops(self, budget: float) -> None:
        """Have the log itself hold how many events were dropped in all, if it does not know."""
        recorded, dropped = self._drops_recorded, self._backlog.dropped
        if dropped == recorded:
            return
        # First of all: a signal handler that gets here as well has nothing left to record.
        self._drops_recorded = dropped
        tick = CLOCK.tick()
        data = {"events_dropped": dropped}
        event = Event(tick.id, own_source(), WRITER_DROPPED, WRITER_SUBJECT, tick.time, data)
        if not self._append(encode(event), tick.day, 1, sync=False, budget=budget):
            self._drops_recorded = recorded

    def _append(self, lines: bytes, day: str, events: int, sync: bool, budget: float) -> bool:
        """Append to the shared log, or else to our spill file; return whether the kernel has it."""
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
                    may_hand_over = self.fast is not None and self._has_all()
                    self._shared.append(lines, day, budget, sync, hand_over=may_hand_over)
                finally:
                    self._appending = False
                return True
        except LockTimeout as error:
            self._lock_timeouts += 1
            if error.is_stuck and not self._impatient_until:
                self._impatient_until = time.monotonic() + _IMPATIENT_SECONDS
        except Exception as error:
            if is_foreign(error):
                raise
            self._note(error)
        finally:
            try:
                self._mutex.release()
            except RuntimeError:
                # Not acquired in time, or replaced after a fork.
                pass
        return self._append_to_spill_file(lines, day, events, sync)

    def _patience(self, budget: float) -> float:
        """Return how many seconds a lock may be waited for now, after a lock timeout."""
        # A clock that stepped back would make it wait until it has caught up.
        if 0.0 < self._impatient_until - time.monotonic() <= _IMPATIENT_SECONDS:
            return 0.0
        self._impatient_until = 0.0
        return budget

    def _wait_for_mutex(self, budget: float) -> float:
        """Take the mutex from another thread; return what is left of `budget`. Or LockTimeout."""
        deadline = time.monotonic() + budget
        if not self._mutex.acquire(timeout=budget):
            raise LockTimeout("another thread is writing")
        return _left(deadline)

    def _append_to_spill_file(self, lines: bytes, day: str, events: int, sync: bool) -> bool:
        try:
            self._spill.append(lines, day, sync)
        except Exception as error:
            if is_foreign(error):
                raise
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
        notices.warn(
            f"events do not go straight to the log in {self.directory}: {self._last_error}"
        )


def _left(deadline: float) -> float:
    """Return the seconds until `deadline`, a monotonic time; none are left after it."""
    return max(0.0, deadline - time.monotonic())
