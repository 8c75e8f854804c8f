"""Record each task that a Celery worker runs as a run.

Call `connect(client)` once where the application is made. Retries are runs of status `partial`,
revoked tasks are cancelled; inside a task `current_run()` is its run.
"""

from __future__ import annotations

from typing import Any, Optional

from telemetry_core.client import TelemetryClient
from telemetry_core.guard import guarded
from telemetry_core.run_context import RunContext
from telemetry_core.status import CANCELLED, PARTIAL


class CeleryRuns:
    """The runs of the tasks that this worker process is executing, by task id."""

    def __init__(self, client: Optional[TelemetryClient] = None) -> None:
        self._client = client or TelemetryClient()
        self._recorder = self._client._recorder  # noqa: SLF001  # part of the package
        self._runs: dict[str, RunContext] = {}

    @guarded
    def started(self, task_id: str, task: Any, **_: Any) -> None:
        """Begin a run when a task begins."""
        request = task.request
        queue = (request.delivery_info or {}).get("routing_key")
        run = self._client.track_run(
            task.name,
            "task",
            "celery",
            source_ref=task_id,
            celery={"retries": request.retries, "queue": queue},
        )
        self._runs[task_id] = run.__enter__()

    @guarded
    def failed(self, task_id: str, exception: BaseException, **_: Any) -> None:
        """End the run as the exception says."""
        self._finish(task_id, exception)

    @guarded
    def retried(self, request: Any, reason: Any = None, **_: Any) -> None:
        """End the run as partial: the task is tried again, as another run."""
        run = self._runs.get(request.id)
        if run is not None:
            run.end(PARTIAL, error_summary=f"retried: {reason}")

    @guarded
    def revoked(self, request: Any, **_: Any) -> None:
        """End the run as cancelled."""
        run = self._runs.get(request.id)
        if run is not None:
            run.end(CANCELLED)
            self._finish(request.id)

    @guarded
    def done(self, task_id: str, **_: Any) -> None:
        """End the run, unless it was ended by what else was signalled."""
        self._finish(task_id)

    def _finish(self, task_id: str, error: Optional[BaseException] = None) -> None:
        run = self._runs.pop(task_id, None)
        if run is not None:
            run.finish(error)


def connect(client: Optional[TelemetryClient] = None) -> CeleryRuns:
    """Record the tasks of this process's workers from now on; return what records them."""
    from celery import signals  # pyright: ignore[reportAttributeAccessIssue]  # untyped

    runs = CeleryRuns(client)
    for signal, receiver in (
        (signals.task_prerun, runs.started),
        (signals.task_failure, runs.failed),
        (signals.task_retry, runs.retried),
        (signals.task_revoked, runs.revoked),
        (signals.task_postrun, runs.done),
    ):
        signal.connect(receiver, weak=False)
    return runs
