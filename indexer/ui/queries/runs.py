"""Query a page of the list of runs, and what belongs to a row.

Called by the pages. Pages are cut by the place of a run, never by a number of rows to skip.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

from indexer.terminal.format import seconds_since
from indexer.ui.queries.activity import Activity, activities_of
from indexer.ui.queries.filters import STALE, Place, RunFilter, condition_of
from indexer.ui.queries.scan import Scan, run_scan
from indexer.ui.queries.usage import Usage, costs_of

PAGE_ROWS = 50
MOST_ROWS = 200
_SCAN_SECONDS = 0.1

RUNNING = "running"


class Run(NamedTuple):
    """One run, as the database has it; values are of whatever type the agent gave."""

    run_id: str
    agent_name: Any
    job_type: Any
    status: Any
    start_time: Any
    end_time: Any
    duration_ms: Any
    items_discovered: Any
    items_succeeded: Any
    items_failed: Any
    items_skipped: Any
    item_name: Any
    error_summary: Any
    last_event_time: Any
    parent_run_id: Any
    host: Any
    event_count: Any
    revision: Any

    @property
    def is_running(self) -> bool:
        """Whether it has not ended, as far as is known."""
        return bool(self.status == RUNNING)

    @property
    def elapsed_ms(self) -> Any:
        """How long it took, or has taken so far."""
        if self.is_running:
            return max(0.0, seconds_since(self.start_time) * 1000)
        return self.duration_ms

    @property
    def place(self) -> Place:
        """Its position in the list."""
        return Place(str(self.start_time), self.run_id)


RUN_COLUMNS = ", ".join(f"runs.{name}" for name in Run._fields)


@dataclass(frozen=True)
class Row:
    """A run with what the list shows with it."""

    run: Run
    stale: str
    """Why a running run is taken for dead, empty if it is not."""
    children: int
    usage: Optional[Usage]
    """What its own model calls used, if it made any."""
    activity: Optional[Activity]
    """What it is doing now, if it runs and says so."""

    @property
    def cost_usd(self) -> Optional[float]:
        """What its model calls cost, as far as is known."""
        return self.usage.cost_usd if self.usage else None

    @property
    def status(self) -> str:
        """The status that a person should see."""
        return STALE if self.stale else str(self.run.status)


@dataclass(frozen=True)
class RunPage:
    """A page of the list."""

    rows: list[Row]
    older: Optional[Place]
    """From where the next page goes on, None on the last."""
    newer: Optional[Place]
    searched_to: str
    """Up to which time was searched, if the time allowed did not suffice; else empty."""


SORTS = {
    "duration": "duration_ms",
    "items": "items_succeeded",
    "agent": "agent_name",
    "events": "event_count",
}
"""What a list can be sorted by besides the time."""


def run_page(
    connection: sqlite3.Connection,
    runs: RunFilter,
    limit: int = PAGE_ROWS,
    before: Optional[Place] = None,
    after: Optional[Place] = None,
) -> RunPage:
    """Return the runs before a place in the list, after one, or the newest."""
    scan = Scan(condition_of(runs), after or before, backwards=after is not None)
    found = run_scan(connection, scan, RUN_COLUMNS, limit + 1, _SCAN_SECONDS)
    rows = [Run(*row) for row in found.rows[:limit]]
    has_more = len(found.rows) > limit
    if after is not None:
        rows.reverse()
        newer = rows[0].place if rows and has_more else None
        older = rows[-1].place if rows else None
    else:
        older = rows[-1].place if has_more else found.searched_to
        newer = rows[0].place if rows and before is not None else None
    searched = found.searched_to.start_time if found.searched_to else ""
    return RunPage(with_details(connection, rows), older, newer, searched)


def sorted_page(
    connection: sqlite3.Connection, runs: RunFilter, sort: str, limit: int = PAGE_ROWS
) -> RunPage:
    """Return the runs with the largest values of a column, as far back as the time allows."""
    columns = f"runs.{SORTS[sort]}, runs.run_id"
    found = run_scan(connection, Scan(condition_of(runs)), columns, 100_000, _SCAN_SECONDS)
    ranked = sorted(found.rows, key=lambda row: _rank(row[0]), reverse=_is_descending(sort))[:limit]
    rows = runs_by_id(connection, [run_id for _, run_id in ranked])
    searched = found.searched_to.start_time if found.searched_to else ""
    return RunPage(with_details(connection, rows), None, None, searched)


def order_of(sort: str) -> str:
    """Return what `sorted_page` sorts by, as the content of an ORDER BY clause."""
    return f"runs.{SORTS[sort]} {'DESC' if _is_descending(sort) else 'ASC'}, runs.run_id"


def _is_descending(sort: str) -> bool:
    return sort != "agent"


def _rank(value: Any) -> tuple[int, Any]:
    if isinstance(value, (int, float)):
        return (1, value)
    return (0, 0.0) if value is None else (2, str(value).lower())


def runs_by_id(connection: sqlite3.Connection, run_ids: Sequence[str]) -> list[Run]:
    """Return runs in the order of their ids; those that are not there are left out."""
    marks = ", ".join("?" * len(run_ids))
    sql = f"SELECT {RUN_COLUMNS} FROM agent_runs AS runs WHERE runs.run_id IN ({marks})"
    found = {row[0]: Run(*row) for row in connection.execute(sql, list(run_ids))}
    return [found[run_id] for run_id in run_ids if run_id in found]


def matching_rows(
    connection: sqlite3.Connection, runs: RunFilter, run_ids: Sequence[str]
) -> list[Row]:
    """Return those of the named runs that a filter lets through, newest first."""
    condition = condition_of(runs)
    parts, values = list(condition.parts), list(condition.values)
    for sign, moment in ((">=", condition.since), ("<", condition.until)):
        if moment is not None:
            parts.append(f"runs.start_time {sign} ?")
            values.append(moment)
    marks = ", ".join("?" * len(run_ids))
    where = " AND ".join([f"runs.run_id IN ({marks})", *parts])
    sql = (
        f"SELECT {RUN_COLUMNS} FROM agent_runs AS runs WHERE {where}"
        " ORDER BY runs.start_time DESC, runs.run_id DESC"
    )
    found = [Run(*row) for row in connection.execute(sql, [*run_ids, *values])]
    return with_details(connection, found)


def children_of(connection: sqlite3.Connection, run_id: str, limit: int = MOST_ROWS) -> list[Row]:
    """Return the runs inside a run, oldest first."""
    sql = (
        f"SELECT {RUN_COLUMNS} FROM agent_runs AS runs WHERE runs.parent_run_id = ?"
        " ORDER BY runs.start_time, runs.run_id LIMIT ?"
    )
    return with_details(connection, [Run(*row) for row in connection.execute(sql, (run_id, limit))])


def running_runs(connection: sqlite3.Connection, limit: int) -> list[Row]:
    """Return the newest running runs that are inside no other."""
    sql = (
        f"SELECT {RUN_COLUMNS} FROM agent_runs AS runs"
        " WHERE runs.status = 'running' AND (runs.parent_run_id IS NULL OR NOT EXISTS"
        " (SELECT 1 FROM agent_runs AS above WHERE above.run_id = runs.parent_run_id))"
        " ORDER BY runs.start_time DESC, runs.run_id DESC LIMIT ?"
    )
    return with_details(connection, [Run(*row) for row in connection.execute(sql, (limit,))])


def with_details(connection: sqlite3.Connection, runs: Sequence[Run]) -> list[Row]:
    """Return runs with what the list shows with them."""
    ids = [run.run_id for run in runs]
    marks = ", ".join("?" * len(ids))
    running = [run.run_id for run in runs if run.is_running]
    stale = _stale_reasons(connection, running)
    activities = activities_of(connection, running) if running else {}
    usage = costs_of(connection, ids) if ids else {}
    children = dict(
        connection.execute(
            "SELECT parent_run_id, count(*) FROM agent_runs"
            f" WHERE parent_run_id IN ({marks}) GROUP BY parent_run_id",
            ids,
        ).fetchall()
    )
    return [
        Row(
            run,
            stale.get(run.run_id, ""),
            children.get(run.run_id, 0),
            usage.get(run.run_id),
            activities.get(run.run_id),
        )
        for run in runs
    ]


def _stale_reasons(connection: sqlite3.Connection, running: Sequence[str]) -> dict[str, str]:
    marks = ", ".join("?" * len(running))
    sql = f"SELECT run_id, reason FROM stale_runs WHERE run_id IN ({marks})"
    return dict(connection.execute(sql, list(running)).fetchall()) if running else {}


def is_recorded(connection: sqlite3.Connection) -> bool:
    """Return whether there is any run at all."""
    return connection.execute("SELECT 1 FROM agent_runs LIMIT 1").fetchone() is not None
