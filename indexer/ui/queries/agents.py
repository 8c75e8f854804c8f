"""Query how each agent does, now and usually, in one look back over the runs.

Called by the overview and by the page of agents. One scan is summed up in memory: statistics of
a table would have SQLite choose worse plans for what is asked more often.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, NamedTuple, Optional

from indexer.store.run_queries import STALE, stale_reasons
from indexer.ui.queries.filters import Condition
from indexer.ui.queries.scan import Scan, run_scan
from telemetry_core.status import RUNNING
from telemetry_core.timestamp import format_time, parse_time

_MOST_RUNS = 100_000
_COLUMNS = (
    "runs.agent_name, runs.status, runs.start_time, runs.duration_ms, runs.error_summary,"
    " runs.run_id, runs.job_type, runs.parent_run_id"
)
_MOST_STARTS = 60
FAILED = frozenset(("failed", "timeout"))
_OPEN = frozenset((RUNNING, STALE))
_FEW = 4
"""With fewer runs than this, a rate or a median says nothing yet."""


class Outcome(NamedTuple):
    """What is looked at of one run."""

    agent: str
    status: str
    start_time: str
    duration_ms: Any
    error: Optional[str]
    run_id: str
    job: str
    is_inside: bool
    """Whether another run started it."""

    @property
    def has_failed(self) -> bool:
        """Whether it ended badly."""
        return self.status in FAILED


@dataclass
class Look:
    """Some time of an agent, summed up."""

    runs: int = 0
    failed: int = 0
    running: int = 0
    """Those that have not ended, stale ones too."""
    durations: list[float] = field(default_factory=list)

    def add(self, one: Outcome) -> None:
        """Take a run into account."""
        self.runs += 1
        status = one.status
        if status in FAILED:
            self.failed += 1
        elif status in _OPEN:
            self.running += 1
            return
        if isinstance(one.duration_ms, (int, float)):
            self.durations.append(one.duration_ms)

    def __add__(self, other: Look) -> Look:
        """Return both times summed up together."""
        return Look(
            self.runs + other.runs,
            self.failed + other.failed,
            self.running + other.running,
            self.durations + other.durations,
        )

    @property
    def ended(self) -> int:
        """How many runs have ended."""
        return self.runs - self.running

    @property
    def failure_rate(self) -> Optional[float]:
        """Which part of those that ended failed; None if none ended."""
        return self.failed / self.ended if self.ended else None

    def percentile(self, percent: int) -> Optional[float]:
        """Return the duration that so many percent of the runs do not exceed."""
        if not self.durations:
            return None
        ordered = sorted(self.durations)
        return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100) - 1))]


@dataclass
class ErrorGroup:
    """Failures of one agent that have the same error."""

    error: str
    count: int
    newest: Outcome


@dataclass
class Agent:
    """One agent: all of the time looked at, the last day of it, and each day."""

    name: str
    recent: Look = field(default_factory=Look)
    usual: Look = field(default_factory=Look)
    days: dict[str, Look] = field(default_factory=dict)
    jobs: Counter[str] = field(default_factory=Counter)
    failures: list[Outcome] = field(default_factory=list)
    newest: Optional[Outcome] = None
    starts: dict[str, list[str]] = field(default_factory=dict)
    """By job, when its latest runs began, but for those inside others."""

    def add(self, one: Outcome, recent_since: str) -> None:
        """Take a run into account; they come newest first."""
        self.newest = self.newest or one
        (self.recent if one.start_time >= recent_since else self.usual).add(one)
        day = _local_day(one.start_time[:13])
        if day not in self.days:
            self.days[day] = Look()
        self.days[day].add(one)
        self.jobs[one.job] += 1
        starts = self.starts.setdefault(one.job, [])
        if not one.is_inside and len(starts) < _MOST_STARTS:
            starts.append(one.start_time)
        if one.has_failed:
            self.failures.append(one)

    @property
    def all(self) -> Look:
        """All of the time."""
        return self.recent + self.usual

    def errors(self, limit: int = 5) -> list[ErrorGroup]:
        """Return its failures by their error, the most frequent first."""
        groups: dict[str, ErrorGroup] = {}
        for one in self.failures:
            error = (one.error or "no error was recorded").strip()
            group = groups.setdefault(error, ErrorGroup(error, 0, one))
            group.count += 1
        return sorted(groups.values(), key=lambda group: -group.count)[:limit]

    @property
    def is_failing(self) -> bool:
        """Whether it failed lately more than it usually does."""
        rate, usual = self.recent.failure_rate, self.usual.failure_rate
        return rate is not None and self.recent.failed > 0 and rate > 1.5 * (usual or 0.0)

    @property
    def is_slow(self) -> bool:
        """Whether the last day's p95 is more than half again as much as usual."""
        if len(self.recent.durations) < _FEW or len(self.usual.durations) < _FEW:
            return False
        recent, usual = self.recent.percentile(95) or 0.0, self.usual.percentile(95) or 0.0
        return recent > 1.5 * usual and recent - usual > 1_000


@dataclass(frozen=True)
class Agents:
    """All agents of a time."""

    agents: list[Agent]
    searched_to: str
    """Up to when was looked, if the time allowed did not suffice; else empty."""

    def by_name(self, name: str) -> Optional[Agent]:
        """Return one of them."""
        return next((agent for agent in self.agents if agent.name == name), None)


def look_back(connection: sqlite3.Connection, days: int, seconds: float) -> Agents:
    """Return what the agents did in the last days, as far back as `seconds` of reading allow."""
    now = datetime.now(timezone.utc)
    condition = Condition(since=format_time(now - timedelta(days=days)))
    found = run_scan(connection, Scan(condition), _COLUMNS, _MOST_RUNS, seconds)
    stale = stale_reasons(connection)
    outcomes = (_outcome(row, stale) for row in found.rows)
    agents = summed_up(outcomes, format_time(now - timedelta(days=1)))
    return Agents(agents, found.searched_to.start_time if found.searched_to else "")


def summed_up(outcomes: Iterable[Outcome], recent_since: str) -> list[Agent]:
    """Return the agents of some runs, which come newest first; the busiest agent first."""
    agents: dict[str, Agent] = {}
    for one in outcomes:
        if one.agent not in agents:
            agents[one.agent] = Agent(one.agent)
        agents[one.agent].add(one, recent_since)
    return sorted(agents.values(), key=lambda agent: (-agent.all.runs, agent.name))


def median_by_agent(agents: Sequence[Agent]) -> dict[str, float]:
    """Return the median duration by agent, in milliseconds."""
    medians = ((agent.name, agent.all.percentile(50)) for agent in agents)
    return {name: median for name, median in medians if median is not None}


def _outcome(row: Sequence[Any], stale: Mapping[str, str]) -> Outcome:
    agent, status, start, duration, error, run_id, job, parent = row
    return Outcome(
        str(agent),
        STALE if run_id in stale else str(status),
        str(start),
        duration,
        None if error is None else str(error),
        str(run_id),
        str(job),
        parent is not None,
    )


@lru_cache(maxsize=10_000)
def _local_day(hour: str) -> str:
    """Return the local day of an hour in UTC, as `2026-11-22T12`."""
    try:
        return f"{parse_time(f'{hour}:00:00Z').astimezone():%Y-%m-%d}"
    except (ValueError, OverflowError):
        return hour[:10]
