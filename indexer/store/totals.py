"""Total runs by outcome, with success rates and durations, in all and by agent.

Used by the commands, the report and the health. It only reads. Percentiles are computed here:
the SQL view `runs_by_agent` needs twice the time for the same numbers.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from indexer.store.run_queries import IS_STALE, STALE, RunFilter
from telemetry_core.status import CANCELLED, FAILED, PARTIAL, RUNNING, SUCCESS, TIMEOUT

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
_OUTCOME_OF_STATUS = {
    SUCCESS: "succeeded",
    PARTIAL: "partial",
    FAILED: "failed",
    TIMEOUT: "failed",
    CANCELLED: "cancelled",
    RUNNING: "running",
}
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
    """Return the totals of the runs that a filter means."""
    where, values = chosen.where()
    durations = _durations(connection, where, values)
    agents, events = _outcomes(connection, where, values)
    by_agent = []
    for agent, found in agents.items():
        counts = _counts(connection, found, durations.get(agent, ()))
        by_agent.append(AgentCounts(agent_name=agent, **counts))
    by_agent.sort(key=lambda one: (-one.runs, one.agent_name is not None, one.agent_name or ""))
    return Totals(_in_all(connection, by_agent, durations), events, by_agent)


class _Outcomes:
    """Runs, counted while rows are read."""

    def __init__(
        self, counts: Optional[Mapping[str, int]] = None, last_run: Optional[str] = None
    ) -> None:
        self.counts = Counter(counts or {})
        """By the names of `_OUTCOMES`."""
        self.last_run = last_run


def _outcomes(
    connection: sqlite3.Connection, where: str, values: Sequence[str]
) -> tuple[dict[Optional[str], _Outcomes], int]:
    """Return what each agent's runs came to, and how many events there are in all of them."""
    agents: defaultdict[Optional[str], _Outcomes] = defaultdict(_Outcomes)
    events = 0
    # By agent and status: SQLite sorts for a group what it sums up, and this is little.
    for agent, status, runs, number, last in connection.execute(
        "SELECT agent_name, status, count(*), sum(event_count), max(start_time)"
        f" FROM agent_runs WHERE {where} GROUP BY agent_name, status",
        values,
    ):
        one = agents[agent]
        one.counts.update({"runs": runs, _OUTCOME_OF_STATUS.get(status, "other"): runs})
        one.last_run = max(filter(None, (one.last_run, last)), default=None)
        events += number or 0
    for agent, stale in connection.execute(
        f"SELECT agent_name, count(*) FROM agent_runs WHERE status = '{RUNNING}' AND {IS_STALE}"
        f" AND {where} GROUP BY agent_name",
        values,
    ):
        agents[agent].counts.update({STALE: stale, RUNNING: -stale})
    return dict(agents), events


def _counts(
    connection: sqlite3.Connection, found: _Outcomes, durations: Sequence[float]
) -> dict[str, Any]:
    """Return the fields of `RunCounts`."""
    counts = {name: found.counts[name] for name in _OUTCOMES}
    rate = _success_rate(connection, counts)
    return {
        **counts,
        "success_rate": rate,
        "last_run": found.last_run,
        **_percentiles(durations),
    }


def _success_rate(connection: sqlite3.Connection, counts: Mapping[str, int]) -> Optional[float]:
    """Return the share of successful runs among those that are no longer running."""
    # Rounded where the SQL views round: Python would round a tie to the even digit.
    (rate,) = connection.execute(
        "SELECT round(1.0 * ? / nullif(?, 0), 4)",
        (counts["succeeded"], counts["runs"] - counts["running"]),
    ).fetchone()
    return None if rate is None else float(rate)


def _in_all(
    connection: sqlite3.Connection,
    agents: Sequence[AgentCounts],
    durations: Mapping[Optional[str], Sequence[float]],
) -> RunCounts:
    """Return the counts of all agents' runs together."""
    sums = {name: sum(getattr(one, name) for one in agents) for name in _OUTCOMES}
    last = max((one.last_run for one in agents if one.last_run is not None), default=None)
    ordered = sorted(value for one in durations.values() for value in one)
    return RunCounts(**_counts(connection, _Outcomes(sums, last), ordered))


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
