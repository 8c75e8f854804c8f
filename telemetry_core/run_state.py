"""Keep what has to be known of a client's open runs until they end.

Called by the client. Bounded: a service that starts runs and never ends them must not grow for
ever.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Optional

from telemetry_core.status import RUNNING

_MAX_OPEN_RUNS = 100_000
_ENDING = ("end_time", "duration_ms")


class OpenRun:
    """What the agent has said of its run so far, as far as the end must not contradict it."""

    __slots__ = ("ending", "started", "status", "times_are_given")

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.status: Optional[str] = None
        self.times_are_given = False
        self.ending: dict[str, Any] = {}
        """What was said of the end while the run was running, when it has none yet."""

    def note(self, fields: Mapping[str, Any]) -> None:
        """Remember a status, a duration or times that the agent gave."""
        status = fields.get("status")
        if status is not None:
            self.status = None if status == RUNNING else status
        self.ending.update((name, fields[name]) for name in _ENDING if name in fields)
        if "start_time" in fields or "end_time" in fields:
            self.times_are_given = True

    def measured(self) -> Optional[int]:
        """Return the milliseconds since the start, None where what the agent said decides.

        Where the agent gave a start or an end, the fold computes the time between them.
        """
        if "duration_ms" in self.ending or self.times_are_given:
            return None
        return max(0, round((time.monotonic() - self.started) * 1000))


class OpenRuns:
    """The runs that this client started and has not ended, by id."""

    def __init__(self) -> None:
        self._runs: dict[str, OpenRun] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._runs

    def add(self, run_id: str) -> OpenRun:
        """Begin to know a run; the oldest one is forgotten where there are too many."""
        if len(self._runs) >= _MAX_OPEN_RUNS:
            self._runs.pop(next(iter(self._runs)), None)
        run = self._runs[run_id] = OpenRun()
        return run

    def get(self, run_id: str) -> Optional[OpenRun]:
        """Return what is known of a run, None if it is not open here."""
        return self._runs.get(run_id)

    def take(self, run_id: str) -> Optional[OpenRun]:
        """Forget a run that ends; return what was known of it."""
        return self._runs.pop(run_id, None)
