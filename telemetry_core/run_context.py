"""The run context: one run from start to end as a `with` block.

Made by `TelemetryClient.track_run`. It turns the way the block is left into a status and
passes every exception on; it never swallows one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional

from telemetry_core import lineage
from telemetry_core.status import CANCELLED, FAILED, SUCCESS

if TYPE_CHECKING:
    from telemetry_core.client import TelemetryClient

_MAX_DETAILS = 20_000


class RunContext:
    """A run while it runs. `run_id` is set once the block is entered."""

    def __init__(
        self,
        client: TelemetryClient,
        agent_name: str,
        job_type: str,
        trigger_type: str,
        fields: dict[str, Any],
    ) -> None:
        self.run_id = ""
        self._client = client
        self._start = (agent_name, job_type, trigger_type)
        self._fields = fields
        self._ended = False
        self._exported = False

    def log_event(self, event_type: str, payload: Any = None) -> Optional[str]:
        """Record one event; return its id once the log has it. See `TelemetryClient.log_event`."""
        return self._client.log_event(self.run_id, event_type, payload)

    def log_events(self, events: Iterable[tuple[str, Any]]) -> Optional[list[str]]:
        """Record several `(event_type, payload)` in one write; return their ids."""
        return self._client.log_events(self.run_id, events)

    def set_metrics(self, **fields: Any) -> Optional[str]:
        """Set run fields now, not at the end: they are there if this process is killed."""
        return self._client.set_metrics(self.run_id, **fields)

    def end(self, status: str = SUCCESS, **fields: Any) -> Optional[str]:
        """End the run here, with a status of your own; leaving the block then adds nothing.

        An exception that leaves the block after this still makes the run a failed one.
        """
        self._ended = True
        return self._client.end_run(self.run_id, status, **fields)

    def child_env(self, environ: Optional[Mapping[str, str]] = None) -> dict[str, str]:
        """Return an environment that makes a child process's runs children of this one.

        Needed only where several runs are open at once; a child started while this is the
        main thread's innermost run inherits the same from `os.environ`.
        """
        return lineage.child_environment(self.run_id, os.environ if environ is None else environ)

    def __enter__(self) -> RunContext:
        fields = dict(self._fields)
        self.run_id = self._client.start_run(*self._start, **fields)
        self._ended = False
        lineage.enter(self.run_id)
        self._exported = lineage.export(self.run_id)
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        lineage.leave(self.run_id)
        if self._exported:
            lineage.withdraw(self.run_id)
        status = SUCCESS if error is None else status_of(error)
        if error is None or status == SUCCESS:
            if not self._ended and self._client.is_open(self.run_id):
                self._client.end_run(self.run_id, SUCCESS)
            return
        self._client.end_run(
            self.run_id, status, error_summary=_summary(error), error_details=_details(error)
        )

    async def __aenter__(self) -> RunContext:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.__exit__(kind, error, traceback)


def status_of(error: BaseException) -> str:
    """Return the status of a run that ended by `error`.

    What is no `Exception` is somebody's wish to stop: KeyboardInterrupt, GeneratorExit,
    asyncio's and trio's cancellation. SystemExit says by its code whether all was well.
    """
    if isinstance(error, SystemExit):
        return SUCCESS if error.code is None or error.code == 0 else FAILED
    return FAILED if isinstance(error, Exception) else CANCELLED


def _summary(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return f"{type(error).__name__}: <unprintable>"


def _details(error: BaseException) -> Optional[str]:
    try:
        # Imported here: only a run that fails needs it. Inside the `try`, for an interpreter that
        # ends imports nothing any more, and may yet close a generator with a run in it.
        import traceback

        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception:
        return None
    return text[-_MAX_DETAILS:]
