"""Copy one run with what it did, and the runs around and inside it."""

from __future__ import annotations

from indexer.fleet.reading.copy import Copy
from indexer.fleet.schema.layout import in_list
from indexer.fleet.schema.tables import RUN_ROWS
from indexer.fleet.shipping.question import chunks
from indexer.store.run_queries import CANDIDATES, find_run
from indexer.store.spans.trees import MOST_LEVELS, context_of

_LATEST = "latest"
_NEWEST_FIRST = "start_time DESC, run_id DESC"
_RUNS_AT_ONCE = 500


_WAYS = (
    ("run_id = {wanted:String}", "run_id"),
    (_LATEST, _NEWEST_FIRST),
    ("startsWith(run_id, {wanted:String}) OR endsWith(run_id, {wanted:String})", _NEWEST_FIRST),
)
"""The ways in which a run is found in a host's database, in their order."""


def add_found(copy: Copy, wanted: str) -> str:
    """Copy the run of an id, of a part of one, or `latest`; return its id.

    Raises NoSuchRun, or FleetError.
    """
    for where, order in _WAYS if wanted else ():
        if where == _LATEST and wanted != _LATEST:
            continue
        found = copy.ask(
            f"SELECT run_id FROM {RUN_ROWS} FINAL WHERE {'true' if where == _LATEST else where}"
            f" ORDER BY {order} LIMIT {1 if where == _LATEST else CANDIDATES + 1}",
            {"wanted": wanted},
        )
        copy.add_runs_named(str(run_id) for (run_id,) in found)
        if found:
            break
    return str(find_run(copy.connection, wanted)["run_id"])


def add_run(copy: Copy, run_id: str, events: int) -> None:
    """Copy what `show` shows: spans, metrics, the last events, and the runs directly inside."""
    of_run = {"run": run_id}
    copy.add_runs("parent_run_id = {run:String}", of_run, "`telemetry sql --fleet`")
    this = "run_id = {run:String}"
    copy.add_spans(this, of_run, narrower="`telemetry sql --fleet`", of=this)
    copy.add_metrics("run_id = {run:String}", of_run)
    copy.add_events("run_id = {run:String}", of_run, events)


def add_tree(copy: Copy, run_id: str) -> None:
    """Copy a run with all runs inside it at any depth, and the spans of all of them."""
    inside = _add_levels(copy, run_id)
    for some in chunks(inside, _RUNS_AT_ONCE):
        among = f"run_id IN ({in_list(some)})"
        copy.add_events(f"{among} AND type = 'run.started' AND extra_json IS NOT NULL", {})
    contexts = [context_of(copy.connection, one) for one in inside]
    traces = [one.trace for one in contexts if one is not None]
    copy.add_runs_named(traces)
    for some in chunks([*inside, *traces], _RUNS_AT_ONCE):
        these = f"run_id IN ({in_list(some)})"
        copy.add_spans(these, narrower="the id of a run inside it", of=these)


def _add_levels(copy: Copy, run_id: str) -> list[str]:
    """Copy the runs inside a run level by level; return the ids of all."""
    known, level = {run_id: None}, [run_id]
    for _ in range(MOST_LEVELS):
        below: list[str] = []
        for some in chunks(level, _RUNS_AT_ONCE):
            rows = copy.ask(
                f"SELECT run_id FROM {RUN_ROWS} FINAL WHERE parent_run_id IN ({in_list(some)})"
                f" ORDER BY start_time, run_id LIMIT {copy.most}"
            )
            below += [str(one) for (one,) in rows if one not in known]
        if not below or len(known) > copy.most:
            break
        known.update(dict.fromkeys(below))
        level = below
    inside = list(known)[: copy.most]
    if len(known) > len(inside):
        copy.notes.append(
            f"only {copy.most:,} runs of those inside this one were read: ask for one of them"
        )
    copy.add_runs_named(inside)
    return inside
