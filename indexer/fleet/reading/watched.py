"""Copy what alert rules look at: runs that ended, run, or were heard of last; what was raised.

Each function copies a few rows more than a rule means, as far as the centre can tell; the rule
itself decides, as on a host.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from indexer.fleet.reading.copy import USAGE_COLUMNS, Copy
from indexer.fleet.schema.layout import in_list
from indexer.fleet.schema.tables import EVENT_ROWS, RUN_ROWS
from indexer.fleet.shipping.question import chunks
from indexer.store.alerts.facts import running_runs
from telemetry_core.event import RUN_ALERT

_HAS_ENDED = "end_time IS NOT NULL AND status <> 'running'"
_LESS = "rules on fewer agents, or `telemetry sql --fleet`"
_RUNS_AT_ONCE = 500


def add_ended(copy: Copy, began: str, ended: str, statuses: Sequence[str] = ()) -> None:
    """Copy the newest runs that began and ended since two times; with one of some statuses."""
    wanted = f" AND status IN ({in_list(statuses)})" if statuses else ""
    copy.add_runs(
        f"start_time >= {{began:String}} AND end_time >= {{ended:String}} AND {_HAS_ENDED}{wanted}",
        {"began": began, "ended": ended},
        _LESS,
    )


def add_last_done(copy: Copy, began: str, done: Sequence[str]) -> None:
    """Copy of each agent and job the last run that ended well; if none has, the last that ended."""
    well = f"ifNull(status IN ({in_list(done)}), 0)"
    copy.add_runs_of(
        f"SELECT argMax(row, ({well}, ifNull(end_time, ''))) FROM {RUN_ROWS} FINAL"
        f" WHERE start_time >= {{began:String}} AND {_HAS_ENDED} GROUP BY agent_name, job_type",
        {"began": began},
    )


def add_last_heard(copy: Copy) -> None:
    """Copy of each agent and job the run that was heard of last."""
    copy.add_runs_of(
        f"SELECT argMax(row, ifNull(last_event_time, '')) FROM {RUN_ROWS} FINAL"
        " GROUP BY agent_name, job_type",
        {},
    )


def add_running(copy: Copy) -> None:
    """Copy the runs that have not ended, and the spans that they are in."""
    copy.add_runs("status = 'running'", {}, _LESS)
    running = [one.run_id for one in running_runs(copy.connection)]
    _add_spans(copy, running, "end_time IS NULL")


def add_failed_spans(copy: Copy, run_ids: Iterable[str]) -> None:
    """Copy the spans of some runs that failed."""
    _add_spans(copy, run_ids, "status = 'error'")


def add_raised(copy: Copy, since: str) -> None:
    """Copy the alerts that agents raised since a time, with their runs."""
    raised = f"type = '{RUN_ALERT}' AND timestamp >= {{since:String}}"
    found = copy.ask(
        f"SELECT DISTINCT run_id FROM {EVENT_ROWS} WHERE {raised} LIMIT {copy.most}",
        {"since": since},
    )
    for some in chunks((str(run_id) for (run_id,) in found), _RUNS_AT_ONCE):
        copy.add_events(f"run_id IN ({in_list(some)}) AND {raised}", {"since": since})
        copy.add_runs_named(some)


def _add_spans(copy: Copy, run_ids: Iterable[str], which: str) -> None:
    for some in chunks(run_ids, _RUNS_AT_ONCE):
        these = f"run_id IN ({in_list(some)})"
        copy.add_spans(f"{these} AND {which}", columns=USAGE_COLUMNS, narrower=_LESS, of=these)
