"""Record each execution of an APScheduler job as a run.

`listen(scheduler, client)`. A missed execution, and one that was skipped because too many were
running, are runs of status `cancelled`, so that they are seen.
"""

from __future__ import annotations

import threading
from typing import Any, Optional

from telemetry_core.client import TelemetryClient
from telemetry_core.guard import guarded
from telemetry_core.outcome import summary_of
from telemetry_core.status import CANCELLED, FAILED

_TRIGGER = "scheduler"
_MAX_OVER = 10_000


class SchedulerRuns:
    """The runs of the executions that a scheduler has submitted, by job and scheduled time."""

    def __init__(self, client: TelemetryClient) -> None:
        self._client = client
        self._recorder = client._recorder  # noqa: SLF001  # part of the package
        self._runs: dict[tuple[str, Any], str] = {}
        # A short job is over before the scheduler says that it was submitted.
        self._over: set[tuple[str, Any]] = set()
        self._lock = threading.Lock()

    @guarded
    def submitted(self, event: Any) -> None:
        """Begin a run for each execution."""
        for moment in event.scheduled_run_times:
            key = event.job_id, moment
            with self._lock:
                if key in self._over:
                    self._over.discard(key)
                else:
                    self._runs[key] = self._start(event.job_id)

    @guarded
    def executed(self, event: Any) -> None:
        """End the run of an execution: well, or with its exception."""
        run_id = self._taken(event.job_id, event.scheduled_run_time)
        if event.exception is None:
            self._client.end_run(run_id)
        else:
            self._client.end_run(
                run_id,
                FAILED,
                error_summary=summary_of(event.exception),
                error_details=event.traceback,
            )

    @guarded
    def missed(self, event: Any) -> None:
        """Record an execution that came too late to begin."""
        self._cancel(self._taken(event.job_id, event.scheduled_run_time))

    @guarded
    def skipped(self, event: Any) -> None:
        """Record executions that did not begin, since too many of the job were running."""
        for _ in event.scheduled_run_times:
            self._cancel(self._start(event.job_id))

    def _cancel(self, run_id: str) -> None:
        self._client.end_run(run_id, CANCELLED, error_summary="missed its scheduled time")

    def _taken(self, job_id: str, moment: Any) -> str:
        """Return the run of an execution that is over, begun now if it was not yet."""
        key = job_id, moment
        with self._lock:
            run_id = self._runs.pop(key, None)
            if run_id is None:
                if len(self._over) > _MAX_OVER:
                    self._over.clear()
                self._over.add(key)
        return run_id or self._client.start_run(job_id, "scheduled", _TRIGGER, start_time=moment)

    def _start(self, job_id: str) -> str:
        return self._client.start_run(job_id, "scheduled", _TRIGGER)


def listen(scheduler: Any, client: Optional[TelemetryClient] = None) -> SchedulerRuns:
    """Record what a scheduler executes from now on; return what records it."""
    from apscheduler import events  # pyright: ignore[reportAttributeAccessIssue]  # untyped

    runs = SchedulerRuns(client or TelemetryClient())
    scheduler.add_listener(runs.submitted, events.EVENT_JOB_SUBMITTED)
    scheduler.add_listener(runs.executed, events.EVENT_JOB_EXECUTED | events.EVENT_JOB_ERROR)
    scheduler.add_listener(runs.missed, events.EVENT_JOB_MISSED)
    scheduler.add_listener(runs.skipped, events.EVENT_JOB_MAX_INSTANCES)
    return runs
