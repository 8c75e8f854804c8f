"""Record an agent's runs: the class that agents call.

Each method makes events and hands them to the writer. None of them raises an exception of
ours, prints, opens a connection or starts anything; a failure is counted and shows in
`get_stats`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional, Union

from telemetry_core import arguments, notices
from telemetry_core.batch import Batch
from telemetry_core.clock import CLOCK, Tick
from telemetry_core.config import TelemetryConfig
from telemetry_core.event import (
    RUN_ALERT,
    RUN_ENDED,
    RUN_EVENT,
    RUN_INCREMENTED,
    RUN_METRICS,
    RUN_STARTED,
    RUN_UPDATED,
)
from telemetry_core.given_fields import alert_fields, plain_text, run_fields, status_text
from telemetry_core.guard import guarded, guarded_or
from telemetry_core.lineage import trace_context
from telemetry_core.process import own_start
from telemetry_core.recorder import Recorder
from telemetry_core.redaction import configure
from telemetry_core.run_context import RunContext
from telemetry_core.run_id import UNKNOWN_RUN, new_run_id, run_id_of
from telemetry_core.run_state import OpenRuns
from telemetry_core.status import SUCCESS
from telemetry_core.surroundings import surroundings
from telemetry_core.view_stats import database_stats
from telemetry_core.wrapping import Function


class TelemetryClient:
    """Records runs and their events. Cheap to make; safe to share between threads and tasks.

    Takes a base directory, a configuration, or nothing for what the environment says.
    """

    def __init__(
        self, config: Union[TelemetryConfig, str, os.PathLike[str], None] = None, /, **named: Any
    ) -> None:
        self.config, wrong = arguments.configuration(config, named)
        configure(os.environ)
        self._recorder = Recorder(self.config)
        self._open = OpenRuns()
        if wrong:
            self._recorder.misused(wrong)
        for notice in self.config.misplaced:
            notices.warn_once(notice, notice)

    def __repr__(self) -> str:
        stats = self._recorder.writer.stats()
        return (
            f"<TelemetryClient base={str(self.config.metrics_dir)!r} open_runs={len(self._open)}"
            f" waiting={stats['events_waiting']} dropped={stats['events_dropped']}"
            f" errors={self._recorder.errors}>"
        )

    @guarded_or(arguments.start_anyway, UNKNOWN_RUN)
    def start_run(
        self, /, agent_name: str, job_type: str, trigger_type: str = "cli", **fields: Any
    ) -> str:
        """Begin a run and return its id; `run_id=` gives it one of your own.

        `fields` are run fields; other numbers are kept in `metrics_json`, all else in
        `context_json`. Host, owner, parent run and git checkout are filled in when not given;
        `parent=` takes a run or span, for threads, where the run around is not known.
        """
        tick = CLOCK.tick()
        given = plain_text(fields.pop("run_id", None))
        run_id = run_id_of(given) if given else new_run_id(plain_text(agent_name), tick.time)
        names = {"agent_name": agent_name, "job_type": job_type, "trigger_type": trigger_type}
        self._begin(tick, run_id, {**names, **arguments.with_parent(fields)})
        return run_id

    @guarded
    def _begin(self, tick: Tick, run_id: str, given: dict[str, Any]) -> None:
        fields = run_fields(given)
        self._open.add(run_id).note(fields)
        extensions = {"traceparent": trace_context(run_id)}
        start = own_start(os.getpid())
        if start:
            extensions["processstart"] = start
        data = {**(self._surroundings() or {}), **fields}
        self._recorder.emit(RUN_STARTED, run_id, data, extensions, tick)

    @guarded
    def _surroundings(self) -> Optional[dict[str, Any]]:
        return surroundings(self.config)  # guarded apart: without a checkout, a run begins too

    @guarded_or(arguments.event_anyway)
    def log_event(self, run_id: str, event_type: str, payload: Any = None) -> Optional[str]:
        """Record one event of a run; return its id once the log has it.

        None means that it could not be written yet: it waits in memory, bounded, and is
        tried again with the next event and at exit.
        """
        data = {"event_type": event_type, "payload": payload}
        return self._recorder.emit(RUN_EVENT, run_id, data)

    @guarded
    def _new_batch(self, run_id: str) -> Batch:
        return Batch(self._recorder, run_id)

    def log_events(self, run_id: str, events: Iterable[tuple[str, Any]]) -> Optional[list[str]]:
        """Record several `(event_type, payload)` under one lock, in one write; return their ids.

        What the iterable raises is the caller's own and passes; what it gave before is recorded.
        """
        batch = self._new_batch(run_id)
        if batch is None:
            return None
        try:
            batch.take(batch.checked(events) or iter(()))
        finally:
            batch.write()
        return batch.ids

    @guarded
    def set_metrics(self, run_id: str = "", /, **fields: Any) -> Optional[str]:
        """Set run fields of a run, now: what a run had reported is there if it is killed."""
        run_id, fields = arguments.named_run(run_id, fields)
        data = run_fields(fields)
        known = self._open.get(run_id_of(run_id))
        if known is not None:
            known.note(data)
        return self._recorder.emit(RUN_UPDATED, run_id, data) if data else None

    @guarded
    def add(self, run_id: str, /, **counters: float) -> Optional[str]:
        """Add numbers to run fields and metrics of a run.

        Several processes may do so at once: the sums come out right.
        """
        return self._recorder.emit(RUN_INCREMENTED, run_id, dict(counters)) if counters else None

    @guarded
    def log_metrics(
        self, run_id: str, metrics: Mapping[str, float], step: Optional[float] = None
    ) -> Optional[str]:
        """Record one point of one or more series, `{name: number}`, at `step` if there is one."""
        point: dict[str, Any] = {} if step is None else {"step": step}
        return self._recorder.emit(RUN_METRICS, run_id, {**point, "metrics": dict(metrics)})

    @guarded
    def alert(
        self, run_id: str, title: str, text: str = "", level: str = "warning"
    ) -> Optional[str]:
        """Record something that people should know at once; the alert rules decide who is notified.

        `level` is info, warning, error or critical; anything else counts as warning.
        """
        return self._recorder.emit(RUN_ALERT, run_id, alert_fields(title, text, level))

    @guarded
    def end_run(
        self, run_id: str = "", status: Optional[str] = None, /, **fields: Any
    ) -> Optional[str]:
        """End a run: with `status`, else the one that was set before, else success.

        The duration is measured if this client started the run; any process may end it.
        """
        run_id, fields = arguments.named_run(run_id, fields)
        known = self._open.take(run_id_of(run_id))
        said = fields.pop("status", None)
        data = run_fields(fields)
        if known is not None:
            known.note(data)
            said = said or known.status
            data = {**known.ending, **data}
            measured = known.measured()
            if measured is not None:
                data["duration_ms"] = measured
        chosen = said if status is None else status
        return self._recorder.emit(
            RUN_ENDED, run_id, {"status": status_text(chosen or SUCCESS), **data}
        )

    def is_open(self, run_id: str) -> bool:
        """Whether this client started the run and has not ended it."""
        return run_id_of(run_id) in self._open

    @guarded_or(arguments.track_anyway)
    def track_run(
        self, /, agent_name: str, job_type: str, trigger_type: str = "cli", **fields: Any
    ) -> RunContext:
        """Return a run as a context manager, for `with` and for `async with`."""
        names = {"agent_name": agent_name, "job_type": job_type, "trigger_type": trigger_type}
        return RunContext(self, {**names, **fields})

    @guarded_or(arguments.tracked_anyway)
    def tracked(
        self, /, agent_name: str, job_type: str, trigger_type: str = "cli", **fields: Any
    ) -> Callable[[Function], Function]:
        """Return a decorator that makes each call of a function a run.

        Coroutines and generators too. Inside, `current_run()` is the run.
        """
        names = {"agent_name": agent_name, "job_type": job_type, "trigger_type": trigger_type}
        return arguments.decorator(lambda: RunContext(self, {**names, **fields}))

    @guarded
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

    @guarded_or(arguments.no_stats)
    def get_stats(self) -> dict[str, Any]:
        """Return total_runs, status_counts and pending_api_posts of the database as it stands.

        With them, what the writer counted: events spilled, waiting or dropped, and errors.
        """
        return {**database_stats(self.config.database_path), **self._recorder.stats()}

    @guarded
    def flush(self) -> bool:
        """Try to write what waits in memory; return whether nothing waits any longer."""
        return self._recorder.writer.flush(self._recorder.budget)

    @guarded
    def close(self) -> None:
        """Write what waits and close the files. Never needed; a later event opens them again."""
        self._recorder.writer.close(self._recorder.budget)

    def __reduce__(self) -> tuple[Any, ...]:
        # A client sent to another process, as multiprocessing does, starts afresh there.
        return TelemetryClient, (self.config,)
