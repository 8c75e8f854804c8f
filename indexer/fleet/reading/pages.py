"""Copy what the live page shows: the newest runs with their usage, and one run with all it has."""

from __future__ import annotations

from indexer.fleet.reading.copy import USAGE_COLUMNS, Copy
from indexer.fleet.reading.family import add_found, add_tree
from indexer.fleet.schema.tables import RUN_ROWS

_LESS = "`telemetry --fleet runs --since`"
_RUNS_BEFORE = 20
"""Earlier runs of the same agent and job that a run can be compared with."""


def add_newest(copy: Copy, among: int = 0) -> None:
    """Copy the newest runs, with the calls that began since the oldest of them; and what runs now.

    `among` bounds how many, where calls do not matter.
    """
    if among:
        copy.add_runs_named(_newest(copy, "true", among))
        return
    copy.add_runs("true", {}, _LESS)
    oldest = copy.oldest_run() if copy.notes else ""
    copy.add_runs("status = 'running'", {}, _LESS)
    since = "start_time >= {since:String}" if oldest else ""
    copy.add_spans(
        f"(counted = 1 OR end_time IS NULL) AND {since or 'true'}",
        {"since": oldest} if oldest else {},
        USAGE_COLUMNS,
        "`telemetry --fleet usage --since`",
        of=since,
    )
    copy.add_runs_of_spans()
    copy.add_parents()


def add_page_of_run(copy: Copy, wanted: str) -> None:
    """Copy a run, the runs around and inside it, its spans, events and metrics.

    Raises NoSuchRun, or FleetError.
    """
    run_id = add_found(copy, wanted)
    of_run = {"run": run_id}
    add_tree(copy, run_id)
    copy.add_metrics("run_id = {run:String}", of_run)
    copy.add_events("run_id = {run:String}", of_run)
    copy.add_runs_named(_newest(copy, _BEFORE, _RUNS_BEFORE, run_id))
    copy.add_parents()


_BEFORE = f"""(agent_name, job_type) GLOBAL IN (
  SELECT agent_name, job_type FROM {RUN_ROWS} FINAL WHERE run_id = {{run:String}})
AND start_time <= (SELECT any(start_time) FROM {RUN_ROWS} FINAL WHERE run_id = {{run:String}})"""


def _newest(copy: Copy, where: str, limit: int, run_id: str = "") -> list[str]:
    rows = copy.ask(
        f"SELECT run_id FROM {RUN_ROWS} FINAL WHERE {where}"
        f" ORDER BY start_time DESC, run_id DESC LIMIT {limit}",
        {"run": run_id} if run_id else {},
    )
    return [str(one) for (one,) in rows]
