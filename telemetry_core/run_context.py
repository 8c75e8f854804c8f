"""One run from start to end as a `with` block.

Made by `TelemetryClient.track_run`. It turns the way the block is left into a status and
passes every exception on; it never swallows one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional

from telemetry_core import lineage
from telemetry_core.arguments import event_anyway, fields_anyway
from telemetry_core.guard import guarded, guarded_or
from telemetry_core.outcome import details_of, status_of, summary_of
from telemetry_core.spans_of_run import SpansOfRun
from telemetry_core.status import SUCCESS

if TYPE_CHECKING:
    from telemetry_core.client import TelemetryClient
    from telemetry_core.spans import Span


class RunContext(SpansOfRun):
    """A run while it runs.

    The run starts when the block is entered, or with the first event of a context that nobody
    entered; such a run has to be ended by `end`. A context that is entered again while it is
    open, by another task for instance, gives that block a run of its own, which `as` names.
    """

    _made_by: Optional[RunContext] = None
    """The context that was entered again while it was open, and gave the block this one instead."""

    def __init__(self, client: TelemetryClient, start: Mapping[str, Any]) -> None:
        self._client = client
        self._recorder = client._recorder  # noqa: SLF001  # the client made us
        self._start = dict(start)
        self._run_id = ""
        self._is_entered = False
        self._has_ended = False
        self._is_exported = False

    def __repr__(self) -> str:
        names = f"agent={self._start.get('agent_name')!r} job={self._start.get('job_type')!r}"
        if not self._run_id:
            return f"<RunContext {names} not started>"
        state = "running" if self._client.is_open(self._run_id) else "ended"
        return f"<RunContext {self._run_id} {names} {state}>"

    def span_home(self) -> tuple[RunContext, Optional[Span]]:
        """Return this run; its spans have the parent that is around the code."""
        return self, None

    @property
    def run_id(self) -> str:
        """The run's id; asking for it starts a run that has not been started."""
        if not self._run_id:
            self._run_id = self._client.start_run(**self._start) or ""
        return self._run_id

    @guarded_or(event_anyway)
    def log_event(self, event_type: str, payload: Any = None) -> Optional[str]:
        """Record one event; return its id once the log has it. See `TelemetryClient.log_event`."""
        return self._client.log_event(self.run_id, event_type, payload)

    def log_events(self, events: Iterable[tuple[str, Any]]) -> Optional[list[str]]:
        """Record several `(event_type, payload)` in one write; return their ids."""
        return self._client.log_events(self.run_id, events)

    @guarded_or(fields_anyway)
    def set_metrics(self, /, **fields: Any) -> Optional[str]:
        """Set run fields now, not at the end: they are there if this process is killed.

        A `status` or `duration_ms` given here stands when the block ends well.
        """
        return self._client.set_metrics(self.run_id, **fields)

    @guarded
    def add(self, /, **counters: float) -> Optional[str]:
        """Add numbers to run fields and metrics: counters that several processes may raise."""
        return self._client.add(self.run_id, **counters)

    @guarded
    def log_metrics(
        self,
        metrics: Optional[Mapping[str, float]] = None,
        /,
        step: Optional[float] = None,
        **more: float,
    ) -> Optional[str]:
        """Record one point of one or more series, `{name: number}`, at `step` if there is one."""
        return self._client.log_metrics(self.run_id, {**(metrics or {}), **more}, step)

    @guarded
    def alert(self, title: str, text: str = "", level: str = "warning") -> Optional[str]:
        """Record something that people should know at once; the alert rules decide who is notified.

        `level` is info, warning, error or critical.
        """
        return self._client.alert(self.run_id, title, text, level)

    @guarded
    def end(self, status: Optional[str] = None, /, **fields: Any) -> Optional[str]:
        """End the run here; leaving the block then adds nothing.

        The status is the one given, else the one set before, else success. An exception that
        leaves the block after this still makes the run a failed one.
        """
        run_id = self.run_id
        self._has_ended = True
        return self._client.end_run(run_id, status, **fields)

    @guarded
    def _child_env(self, environ: Mapping[str, str]) -> dict[str, str]:
        return lineage.child_environment(self.run_id, environ)

    def child_env(self, environ: Optional[Mapping[str, str]] = None) -> dict[str, str]:
        """Return an environment that makes a child process's runs children of this one.

        Needed only where several runs are open at once; a child started while this is the
        main thread's innermost run inherits the same from `os.environ`.
        """
        given = os.environ if environ is None else environ
        return self._child_env(given) or dict(given)

    def __enter__(self) -> RunContext:
        if not self._is_entered:
            self._made_by = None
            self._begin()
            return self
        entry = RunContext(self._client, self._start)
        entry._made_by = self
        entry._begin()
        return entry

    @guarded
    def _begin(self) -> None:
        if self._has_ended:
            # The context had its run; this block is another.
            self._run_id = ""
        self._is_entered, self._has_ended = True, False
        _ = self.run_id
        self.resume()

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._entry_here().leave(error)

    def _entry_here(self) -> RunContext:
        """Return the run of the block that is being left: this context's innermost."""
        for run in reversed(lineage.open_runs()):
            if run is self or run._made_by is self:  # noqa: SLF001  # another of this very class
                return run
        return self

    @guarded
    def suspend(self) -> None:
        """Stop being the run around the code that follows."""
        lineage.leave(self)
        if self._is_exported:
            self._is_exported = False
            lineage.withdraw(self._run_id)

    @guarded
    def resume(self) -> None:
        """Be the run around the code that follows, and the parent of child processes."""
        lineage.enter(self)
        self._is_exported = lineage.export(self._run_id)

    def _finish(self, error: Optional[BaseException]) -> None:
        self.suspend()
        self._is_entered = False
        status = None if error is None else status_of(error)
        if error is None or status == SUCCESS:
            if not self._has_ended and self._client.is_open(self._run_id):
                self._client.end_run(self._run_id)
        else:
            self._client.end_run(
                self._run_id,
                status,
                error_summary=summary_of(error),
                error_details=details_of(error),
            )
        self._has_ended = True
