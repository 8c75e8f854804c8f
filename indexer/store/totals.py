"""Total runs by outcome, with success rates and durations, in all and by agent.

Used by the commands, the report and the health. It only reads. Percentiles are computed here:
the SQL view `runs_by_agent` needs twice the time for the same numbers.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import orjson

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
# As one text: a row of its own for each duration takes longer than all else here. Numbers with a
# fraction do not survive being written by SQLite, and are read as they are.
_WHOLE_DURATIONS = "group_concat(CASE typeof(duration_ms) WHEN 'integer' THEN duration_ms END)"


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
    agents, events = _outcomes(connection, where, values)
    in_all = _Outcomes()
    by_agent = []
    for agent, found in agents.items():
        found.durations.sort()
        by_agent.append(AgentCounts(agent_name=agent, **_counts(connection, found)))
        in_all.add(found.counts, found.last_run, found.durations)
    in_all.durations.sort()
    by_agent.sort(key=lambda one: (-one.runs, one.agent_name is not None, one.agent_name or ""))
    return Totals(RunCounts(**_counts(connection, in_all)), events, by_agent)


class _Outcomes:
    """Runs, counted while rows are read."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """By the names of `_OUTCOMES`."""
        self.last_run: Optional[str] = None
        self.durations: list[float] = []
        """In milliseconds."""

    def add(
        self, counts: Mapping[str, int], last_run: Optional[str], durations: Iterable[float]
    ) -> None:
        """Count more runs."""
        self.counts.update(counts)
        self.last_run = max(filter(None, (self.last_run, last_run)), default=None)
        self.durations.extend(durations)


def _outcomes(
    connection: sqlite3.Connection, where: str, values: Sequence[str]
) -> tuple[dict[Optional[str], _Outcomes], int]:
    """Return what each agent's runs came to, and how many events there are in all of them."""
    agents: defaultdict[Optional[str], _Outcomes] = defaultdict(_Outcomes)
    events = 0
    has_fractions = False
    # By agent and status: SQLite sorts for a group what it sums up, and this is little.
    for agent, status, runs, number, last, whole, fractions in connection.execute(
        "SELECT agent_name, status, count(*), sum(event_count), max(start_time),"
        f" {_WHOLE_DURATIONS}, max(typeof(duration_ms) = 'real')"
        f" FROM agent_runs WHERE {where} GROUP BY agent_name, status",
        values,
    ):
        counts = {"runs": runs, _OUTCOME_OF_STATUS.get(status, "other"): runs}
        agents[agent].add(counts, last, orjson.loads(f"[{whole or ''}]"))
        events += number or 0
        has_fractions = has_fractions or bool(fractions)
    if has_fractions:
        _add_fractions(connection, where, values, agents)
    for agent, stale in connection.execute(
        f"SELECT agent_name, count(*) FROM agent_runs WHERE status = '{RUNNING}' AND {IS_STALE}"
        f" AND {where} GROUP BY agent_name",
        values,
    ):
        agents[agent].counts.update({STALE: stale, RUNNING: -stale})
    return dict(agents), events


def _add_fractions(
    connection: sqlite3.Connection,
    where: str,
    values: Sequence[str],
    agents: Mapping[Optional[str], _Outcomes],
) -> None:
    """Add the durations that are no whole number of milliseconds."""
    for agent, duration_ms in connection.execute(
        "SELECT agent_name, duration_ms FROM agent_runs"
        f" WHERE typeof(duration_ms) = 'real' AND {where}",
        values,
    ):
        agents[agent].durations.append(duration_ms)


def _counts(connection: sqlite3.Connection, found: _Outcomes) -> dict[str, Any]:
    """Return the fields of `RunCounts`. The durations are sorted."""
    counts = {name: found.counts[name] for name in _OUTCOMES}
    rate = _success_rate(connection, counts)
    return {
        **counts,
        "success_rate": rate,
        "last_run": found.last_run,
        **_percentiles(found.durations),
    }


def _success_rate(connection: sqlite3.Connection, counts: Mapping[str, int]) -> Optional[float]:
    """Return the share of successful runs among those that are no longer running."""
    # Rounded where the SQL views round: Python would round a tie to the even digit.
    (rate,) = connection.execute(
        "SELECT round(1.0 * ? / nullif(?, 0), 4)",
        (counts["succeeded"], counts["runs"] - counts["running"]),
    ).fetchone()
    return None if rate is None else float(rate)


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


def _percentiles(ordered: Sequence[float]) -> dict[str, Any]:
    """Return the first values that 50 and 95 per cent do not exceed; none of no values."""
    if not ordered:
        return {}
    return {
        f"p{percent}_duration_ms": ordered[-(-len(ordered) * percent // 100) - 1]
        for percent in (50, 95)
    }
