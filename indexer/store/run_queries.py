"""Query runs: filtered, counted, found by part of an id. It only reads.

Used by the commands and pages that show runs. `stale` counts as a status of its own here: a run
that is recorded as running, but whose process is gone or that has been silent for too long.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Optional

from indexer.errors import NoSuchRun
from telemetry_core.status import RUNNING

STALE = "stale"

CANDIDATES = 5
"""So many runs are named where a part of an id is ambiguous."""

_NEWEST = "SELECT run_id FROM agent_runs ORDER BY start_time DESC, run_id DESC LIMIT 1"
_WAYS_TO_FIND = (
    "run_id = :wanted",
    f":wanted = 'latest' AND run_id = ({_NEWEST})",
    "substr(run_id, 1, length(:wanted)) = :wanted OR substr(run_id, -length(:wanted)) = :wanted",
)
IS_STALE = "run_id IN (SELECT run_id FROM stale_runs)"
"""The condition for a run that is running by its record only."""
IS_ROOT = (
    "(parent_run_id IS NULL OR parent_run_id = run_id"
    " OR parent_run_id NOT IN (SELECT run_id FROM agent_runs))"
)
"""The condition for a run that is not nested in any other that is known."""


@dataclass(frozen=True)
class RunFilter:
    """Which runs are meant; None stands for any. Times are UTC in the canonical spelling."""

    agent: Optional[str] = None
    job: Optional[str] = None
    status: Optional[str] = None
    """`stale` is the runs that are running by their record only; `running` is the others."""
    since: Optional[str] = None
    until: Optional[str] = None
    """The first moment that is not meant."""
    parent: Optional[str] = None
    """The run id of the parent."""
    is_root: bool = False
    """Only runs that are not nested in another."""

    def where(self) -> tuple[str, list[str]]:
        """Return the condition on `agent_runs` as SQL, and its parameters."""
        wanted = {
            "agent_name = ?": self.agent,
            "job_type = ?": self.job,
            "start_time >= ?": self.since,
            "start_time < ?": self.until,
            "parent_run_id = ?": self.parent,
        }
        conditions = [sql for sql, value in wanted.items() if value is not None]
        values = [value for value in wanted.values() if value is not None]
        if self.status in (STALE, RUNNING):
            # Named as well, so that the index of running runs is used.
            conditions.append(f"status = '{RUNNING}'")
            conditions.append(IS_STALE if self.status == STALE else f"NOT {IS_STALE}")
        elif self.status is not None:
            conditions.append("status = ?")
            values.append(self.status)
        if self.is_root:
            conditions.append(IS_ROOT)
        return " AND ".join(conditions) or "TRUE", values


def select_runs(connection: sqlite3.Connection, chosen: RunFilter, limit: int) -> list[Any]:
    """Return the newest runs that a filter means, nested ones included; a limit of 0 is none."""
    where, values = chosen.where()
    return connection.execute(
        f"SELECT * FROM agent_runs WHERE {where} ORDER BY start_time DESC, run_id DESC LIMIT ?",
        (*values, limit or -1),
    ).fetchall()


def select_top_level(connection: sqlite3.Connection, chosen: RunFilter, limit: int) -> list[Any]:
    """Return the newest runs that are not nested in another which the filter means as well."""
    where, values = chosen.where()
    return connection.execute(
        f"SELECT * FROM agent_runs AS runs WHERE {where} AND NOT {_is_nested(where)}"
        " ORDER BY start_time DESC, run_id DESC LIMIT ?",
        (*values, *values, limit or -1),
    ).fetchall()


def count_runs(connection: sqlite3.Connection, chosen: RunFilter) -> tuple[int, int]:
    """Return how many runs a filter means: at the top level, and nested in one of those."""
    where, values = chosen.where()
    total = count_all(connection, chosen)
    (nested,) = connection.execute(
        f"SELECT count(*) FROM agent_runs AS runs WHERE {where} AND {_is_nested(where)}",
        (*values, *values),
    ).fetchone()
    return total - nested, nested


def count_all(connection: sqlite3.Connection, chosen: RunFilter) -> int:
    """Return how many runs a filter means, whether nested or not."""
    where, values = chosen.where()
    row = connection.execute(f"SELECT count(*) FROM agent_runs WHERE {where}", values).fetchone()
    return int(row[0])


def _is_nested(where: str) -> str:
    """Return the condition for one of `runs` whose parent fulfills a condition as well.

    The columns in the condition are those of the innermost table, the parent.
    """
    return (
        "(runs.parent_run_id IS NOT NULL AND runs.parent_run_id <> runs.run_id AND EXISTS"
        f" (SELECT 1 FROM agent_runs AS above WHERE above.run_id = runs.parent_run_id AND {where}))"
    )


def count_nested(
    connection: sqlite3.Connection, chosen: RunFilter, run_ids: list[str]
) -> dict[str, int]:
    """Return how many of the meant runs are nested directly in each of some runs."""
    where, values = chosen.where()
    counts = {}
    for run_id in run_ids:
        counts[run_id] = connection.execute(
            f"SELECT count(*) FROM agent_runs WHERE parent_run_id = ? AND run_id <> ? AND {where}",
            (run_id, run_id, *values),
        ).fetchone()[0]
    return counts


def stale_reasons(connection: sqlite3.Connection) -> dict[str, str]:
    """Return why each stale run is one: `process gone` or `silent`."""
    return dict(connection.execute("SELECT run_id, reason FROM stale_runs").fetchall())


def newest_stale(connection: sqlite3.Connection, limit: int) -> list[str]:
    """Return the ids of stale runs, those first that were heard of last."""
    rows = connection.execute(
        "SELECT run_id FROM stale_runs ORDER BY last_event_time DESC, run_id LIMIT ?", (limit,)
    )
    return [str(run_id) for (run_id,) in rows]


def find_run(connection: sqlite3.Connection, wanted: str) -> sqlite3.Row:
    """Return the run of an id, of the beginning or end of one, or `latest`. Raises NoSuchRun.

    The connection's row factory has to be sqlite3.Row.
    """
    if not wanted:
        # Every id begins and ends with nothing; it is a variable that a script did not set.
        raise NoSuchRun("the run id is empty")
    for condition in _WAYS_TO_FIND:
        rows: list[sqlite3.Row] = connection.execute(
            f"SELECT * FROM agent_runs WHERE {condition} ORDER BY start_time DESC LIMIT :limit",
            {"wanted": wanted, "limit": CANDIDATES + 1},
        ).fetchall()
        if len(rows) > 1:
            names = ", ".join(str(row["run_id"]) for row in rows[:CANDIDATES])
            more = " and others" if len(rows) > CANDIDATES else ""
            raise NoSuchRun(f"{wanted!r} is ambiguous: {names}{more}")
        if rows:
            return rows[0]
    raise NoSuchRun(f"no run matches {wanted!r}")


def parents_not_there(connection: sqlite3.Connection) -> list[str]:
    """Return the ids that runs name as their parent's, and that no run has."""
    rows = connection.execute(
        "SELECT DISTINCT parent_run_id FROM agent_runs WHERE parent_run_id IS NOT NULL"
        " AND parent_run_id NOT IN (SELECT run_id FROM agent_runs)"
    )
    return [str(run_id) for (run_id,) in rows]


def oldest_start(connection: sqlite3.Connection) -> str:
    """Return when the oldest run began; empty where there is none."""
    (oldest,) = connection.execute("SELECT min(start_time) FROM agent_runs").fetchone()
    return str(oldest or "")


def has_runs(connection: sqlite3.Connection) -> bool:
    """Return whether there is any run."""
    return connection.execute("SELECT 1 FROM agent_runs LIMIT 1").fetchone() is not None


def run_id_ending_in(connection: sqlite3.Connection, end: str) -> Optional[str]:
    """Return the only run id that is `end` or ends in it; None if there is none or are several."""
    found = connection.execute(
        "SELECT run_id FROM agent_runs WHERE run_id = :end OR substr(run_id, -length(:end)) = :end"
        " ORDER BY run_id = :end DESC LIMIT 2",
        {"end": end},
    ).fetchall()
    run_ids = [run_id for (run_id,) in found]
    return run_ids[0] if run_ids[:1] == [end] or len(run_ids) == 1 else None


def distinct_values(connection: sqlite3.Connection, column: str, limit: int = 1_000) -> list[str]:
    """Return the values of `agent_name`, `job_type` or `status`, those of recent runs first."""
    rows = connection.execute(
        f"SELECT {column}, max(start_time) AS last FROM agent_runs"
        f" WHERE {column} IS NOT NULL GROUP BY {column} ORDER BY last DESC LIMIT ?",
        (limit,),
    )
    return [str(row[0]) for row in rows]


def recent_run_ids(connection: sqlite3.Connection, part: str, limit: int) -> list[tuple[str, str]]:
    """Return ids of the newest runs that begin or end with `part`, each with its agent."""
    return connection.execute(
        "SELECT run_id, ifnull(agent_name, '') FROM agent_runs"
        " WHERE substr(run_id, 1, length(?1)) = ?1 OR substr(run_id, -length(?1)) = ?1"
        " OR ?1 = '' ORDER BY start_time DESC LIMIT ?2",
        (part, limit),
    ).fetchall()
