"""Total runs by outcome, with success rates and durations, in all and by agent.

Used by the commands, the report and the health. It only reads. Percentiles are computed here:
the SQL view `runs_by_agent` needs twice the time for the same numbers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from indexer.store.run_queries import STALE, RunFilter
from indexer.store.schema.views import COUNTS, SUCCESS_RATE
from telemetry_core.status import RUNNING

_OUTCOMES = (
    "runs",
    "succeeded",
    "partial",
    "failed",
    "cancelled",
    "running",
    "stale",
    "other",
)
_IS_NUMBER = "typeof(duration_ms) IN ('integer', 'real')"


@dataclass(frozen=True)
class RunCounts:
    """How many runs there were, by outcome: the outcomes add up to `runs`."""

    runs: int = 0
    succeeded: int = 0
    partial: int = 0
    failed: int = 0
    """Failed or timed out."""
    cancelled: int = 0
    running: int = 0
    stale: int = 0
    """Running by their record only: the process is gone, or silent for too long."""
    other: int = 0
    """With a status that an agent made up, or none."""
    success_rate: Optional[float] = None
    """Of the runs that are no longer running, stale ones included."""
    p50_duration_ms: Optional[float] = None
    p95_duration_ms: Optional[float] = None
    last_run: Optional[str] = None
    """When the newest of them started."""


@dataclass(frozen=True)
class AgentCounts(RunCounts):
    """The counts of one agent's runs."""

    agent_name: Optional[str] = None


@dataclass(frozen=True)
class Totals:
    """What the runs that a filter means come to."""

    total: RunCounts
    events: int
    """Events that the agents recorded in these runs."""
    by_agent: list[AgentCounts] = field(default_factory=list)
    """The agents with the most runs first."""


def totals(connection: sqlite3.Connection, chosen: RunFilter) -> Totals:
    """Return the totals of the runs that a filter means. The row factory has to be Row."""
    where, values = chosen.where()
    durations = _durations(connection, where, values)
    rows = connection.execute(
        f"SELECT agent_name, {COUNTS}, {SUCCESS_RATE}, max(start_time) AS last_run,"
        f" sum(event_count) AS events FROM agent_runs AS runs WHERE {where}"
        " GROUP BY agent_name ORDER BY runs DESC, agent_name",
        values,
    ).fetchall()
    by_agent, events = [], 0
    for row in rows:
        counts = _without_nulls(dict(row))
        events += counts.pop("events", 0)
        by_agent.append(AgentCounts(**counts, **_percentiles(durations.get(row[0], ()))))
    return Totals(_in_all(connection, by_agent, durations), events, by_agent)


def _in_all(
    connection: sqlite3.Connection,
    agents: Sequence[AgentCounts],
    durations: Mapping[Optional[str], Sequence[float]],
) -> RunCounts:
    """Return the counts of all agents' runs together."""
    sums = {name: sum(getattr(one, name) for one in agents) for name in _OUTCOMES}
    # Rounded where the rates of the agents are: Python would round a tie to the even digit.
    (rate,) = connection.execute(
        "SELECT round(1.0 * ? / nullif(?, 0), 4)",
        (sums["succeeded"], sums["runs"] - sums["running"]),
    ).fetchone()
    return RunCounts(
        **sums,
        success_rate=rate,
        last_run=max((one.last_run for one in agents if one.last_run is not None), default=None),
        **_percentiles(sorted(value for one in durations.values() for value in one)),
    )


def runs_by_status(connection: sqlite3.Connection) -> tuple[dict[str, int], Optional[str]]:
    """Return how many runs there are of each status, and the time of the last event of them all.

    Stale ones are not counted as running.
    """
    rows = connection.execute(
        "SELECT status, count(*), max(last_event_time) FROM agent_runs GROUP BY status"
    ).fetchall()
    counts = {"unknown" if status is None else status: number for status, number, _ in rows}
    last = max((time for _, _, time in rows if time is not None), default=None)
    (stale,) = connection.execute("SELECT count(*) FROM stale_runs").fetchone()
    if stale:
        counts[STALE] = stale
        counts[RUNNING] -= stale
    return {status: number for status, number in counts.items() if number}, last


def _durations(
    connection: sqlite3.Connection, where: str, values: Sequence[str]
) -> dict[Optional[str], list[float]]:
    """Return each agent's durations, the shortest first."""
    durations: dict[Optional[str], list[float]] = {}
    cursor = connection.cursor()
    # Bare tuples: of many runs, named rows take longer than the sorting.
    cursor.row_factory = None
    for agent, duration_ms in cursor.execute(
        f"SELECT agent_name, duration_ms FROM agent_runs WHERE {_IS_NUMBER} AND {where}", values
    ):
        durations.setdefault(agent, []).append(duration_ms)
    for one in durations.values():
        one.sort()
    return durations


def _percentiles(ordered: Sequence[float]) -> dict[str, Any]:
    """Return the first values that 50 and 95 per cent do not exceed; none of no values."""
    if not ordered:
        return {}
    return {
        f"p{percent}_duration_ms": ordered[-(-len(ordered) * percent // 100) - 1]
        for percent in (50, 95)
    }


def _without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    # Sums over no rows are NULL, and mean the field's default.
    return {name: value for name, value in row.items() if value is not None}
