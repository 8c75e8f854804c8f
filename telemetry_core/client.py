"""The client: what an agent calls to record its runs.

Each method makes events and hands them to the writer. None of them raises an exception of
ours, prints, opens a connection or starts anything; a failure is counted and shows in
`get_stats`.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterable
from typing import Any, Callable, Optional, TypeVar

from telemetry_core.clock import CLOCK, Tick
from telemetry_core.config import TelemetryConfig
from telemetry_core.degrade import text_of
from telemetry_core.event import (
    RUN_ENDED,
    RUN_EVENT,
    RUN_STARTED,
    RUN_UPDATED,
)
from telemetry_core.git import git_fields
from telemetry_core.line import line_of
from telemetry_core.lineage import parent_of_new_run
from telemetry_core.process import host_name, own_source, own_start
from telemetry_core.redaction import configure
from telemetry_core.run_context import RunContext
from telemetry_core.run_id import new_run_id, run_id_of
from telemetry_core.status import normalise_status
from telemetry_core.tracked import Function, tracked
from telemetry_core.view_stats import view_stats
from telemetry_core.writer import writer_for

# A service that starts runs and never ends them must not grow for ever.
_MAX_OPEN_RUNS = 100_000
# A configuration may ask for long waits, not for endless ones.
_MAX_BUDGET_MS = 60_000.0

_Method = TypeVar("_Method", bound=Callable[..., Any])


def _never_raises(method: _Method) -> _Method:
    """Count what goes wrong in us and return None: the agent has better things to do."""

    @functools.wraps(method)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except Exception as error:
            self = args[0]
            self._errors += 1
            try:
                self._last_error = f"{type(error).__name__}: {text_of(error)}"
            except Exception:
                # Python empties modules at its very end: what they had is None, `text_of` too.
                self._last_error = "the interpreter has ended"
            return None

    return guarded  # type: ignore[return-value]  # functools.wraps keeps the signature


class TelemetryClient:
    """Records runs and their events. Cheap to make; safe to share between threads and tasks."""

    def __init__(self, config: Optional[TelemetryConfig] = None) -> None:
        """Use `config`, or what the environment says."""
        self.config = config if config is not None else TelemetryConfig.from_env()
        configure(os.environ)
        self._writer = writer_for(self.config.ndjson_dir, host_name())
        self._budget = min(max(self.config.lock_budget_ms, 0.0), _MAX_BUDGET_MS) / 1000
        self._sync = self.config.durability == "fsync"
        self._open_runs: dict[str, float] = {}
        self._errors = 0
        self._last_error = ""

    def start_run(
        self, agent_name: str, job_type: str, trigger_type: str = "cli", **fields: Any
    ) -> str:
        """Begin a run and return its id; `run_id=` gives it one of your own.

        `fields` are run fields; unknown ones are kept in `context_json`. Host, owner, parent
        run and git checkout are filled in when not given.
        """
        tick = CLOCK.tick()
        given = _text(fields.pop("run_id", None))
        run_id = run_id_of(given) if given else new_run_id(_text(agent_name), tick.time)
        self._start(
            tick,
            run_id,
            {
                "agent_name": agent_name,
                "job_type": job_type,
                "trigger_type": trigger_type,
                **fields,
            },
        )
        return run_id

    @_never_raises
    def _start(self, tick: Tick, run_id: str, fields: dict[str, Any]) -> None:
        if len(self._open_runs) >= _MAX_OPEN_RUNS:
            self._open_runs.pop(next(iter(self._open_runs)), None)
        self._open_runs[run_id] = time.monotonic()
        data = {**(self._surroundings() or {}), **_without_none(fields)}
        start = own_start(os.getpid())
        extensions = {"processstart": start} if start else None
        self._emit(RUN_STARTED, run_id, _without_none(data), extensions, tick)

    @_never_raises
    def _surroundings(self) -> Optional[dict[str, Any]]:
        # Guarded apart: a run whose checkout can't be read has begun all the same.
        return {
            "host": host_name(),
            "agent_owner": self.config.agent_owner,
            "parent_run_id": parent_of_new_run(),
            **(git_fields() if self.config.git else {}),
        }

    @_never_raises
    def log_event(self, run_id: str, event_type: str, payload: Any = None) -> Optional[str]:
        """Record one event of a run; return its id once the log has it.

        None means that it could not be written yet: it waits in memory, bounded, and is
        tried again with the next event and at exit.
        """
        return self._emit(RUN_EVENT, run_id, {"event_type": event_type, "payload": payload})

    @_never_raises
    def log_events(self, run_id: str, events: Iterable[tuple[str, Any]]) -> Optional[list[str]]:
        """Record several `(event_type, payload)` under one lock, in one write; return their ids."""
        # One buffer: with a list of lines the memory of each is new to the processor.
        ids, lines, day = [], bytearray(), ""
        source, subject, written = own_source(), run_id_of(run_id), True
        try:
            for event_type, payload in map(_pair, events):
                event_id, moment, today = CLOCK.next()
                data = {"event_type": event_type, "payload": payload}
                lines += line_of(event_id, source, RUN_EVENT, subject, moment, data)
                ids.append(event_id)
                day = day or today
        finally:
            # Also when the caller's iterable raises: what it gave before is no less true.
            if lines:
                count = len(ids)
                written = self._writer.write(bytes(lines), day, count, self._sync, self._budget)
        return ids if written else None

    @_never_raises
    def set_metrics(self, run_id: str, **fields: Any) -> Optional[str]:
        """Set run fields of a run, now: what a run had reported is there if it is killed."""
        fields = _without_none(fields)
        return self._emit(RUN_UPDATED, run_id, fields) if fields else None

    @_never_raises
    def end_run(self, run_id: str, status: str = "success", **fields: Any) -> Optional[str]:
        """End a run. The duration is measured if this client started it; any process may end it."""
        started = self._open_runs.pop(run_id_of(run_id), None)
        data = {"status": normalise_status(_text(status)), **_without_none(fields)}
        if started is not None:
            data.setdefault("duration_ms", round((time.monotonic() - started) * 1000))
        return self._emit(RUN_ENDED, run_id, data)

    def is_open(self, run_id: str) -> bool:
        """Whether this client started the run and has not ended it."""
        return run_id_of(run_id) in self._open_runs

    def track_run(
        self, agent_name: str, job_type: str, trigger_type: str = "cli", **fields: Any
    ) -> RunContext:
        """Return a run as a context manager, for `with` and for `async with`."""
        return RunContext(self, agent_name, job_type, trigger_type, fields)

    def tracked(
        self, agent_name: str, job_type: str, trigger_type: str = "cli", **fields: Any
    ) -> Callable[[Function], Function]:
        """Return a decorator that makes each call of a function a run; async functions too."""
        return tracked(lambda: self.track_run(agent_name, job_type, trigger_type, **fields))

    def associate_commit(
        self,
        run_id: str,
        commit_hash: str,
        commit_source: Optional[str] = None,
        commit_author: Optional[str] = None,
        commit_timestamp: Optional[str] = None,
    ) -> Optional[str]:
        """Say which commit a run led to; at any time, from any process."""
        return self.set_metrics(
            run_id,
            git_commit_hash=commit_hash,
            git_commit_source=commit_source,
            git_commit_author=commit_author,
            git_commit_timestamp=commit_timestamp,
        )

    def get_stats(self) -> dict[str, Any]:
        """Return total_runs, status_counts and pending_api_posts of the view as it stands.

        Beside them, what the writer counted: events spilled to this process's own file,
        waiting in memory, dropped, and the errors.
        """
        stats = view_stats(self.config.database_path)
        stats.update(self._writer.stats())
        stats.update(client_errors=self._errors, last_client_error=self._last_error)
        return stats

    @_never_raises
    def flush(self) -> bool:
        """Try to write what waits in memory; return whether nothing waits any longer."""
        return self._writer.flush(self._budget)

    @_never_raises
    def close(self) -> None:
        """Write what waits and close the files. Never needed; a later event opens them again."""
        self._writer.close(self._budget)

    def __reduce__(self) -> tuple[Any, ...]:
        # A client sent to another process, as multiprocessing does, starts afresh there.
        return TelemetryClient, (self.config,)

    def _emit(
        self,
        kind: str,
        run_id: str,
        data: dict[str, Any],
        extensions: Optional[dict[str, Any]] = None,
        tick: Optional[Tick] = None,
    ) -> Optional[str]:
        event_id, moment, day = tick or CLOCK.next()
        subject = run_id_of(run_id)
        line = line_of(event_id, own_source(), kind, subject, moment, data, extensions)
        return event_id if self._writer.write(line, day, 1, self._sync, self._budget) else None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else text_of(value)


def _pair(event: Any) -> tuple[Any, Any]:
    """`(event_type, payload)`; what is no pair is recorded as it is, not lost with the others."""
    if isinstance(event, (tuple, list)) and len(event) == 2:
        return event[0], event[1]
    return (event, None) if isinstance(event, str) else ("event", event)


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    """A null says nothing in an event: leaving it out is the same, and shorter."""
    return {name: value for name, value in fields.items() if value is not None}
