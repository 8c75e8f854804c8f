"""What a report says, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from indexer.report.period import Period
from indexer.report.work import WorkTable
from indexer.store.totals import AgentCounts, RunCounts

OTHER = "other"
"""What a status that an agent made up counts as in charts."""


@dataclass(frozen=True)
class PeriodTotals(RunCounts):
    """The counts of all runs of a period."""

    agents: int = 0
    events: int = 0


@dataclass(frozen=True)
class OtherAgents(RunCounts):
    """The agents that have no row of their own, together; without percentiles."""

    agents: int = 0


@dataclass(frozen=True)
class RunLine:
    """One run in a list."""

    run_id: str
    agent_name: Optional[str]
    job_type: Optional[str]
    status: Optional[str]
    start_time: Optional[str]
    duration_ms: Optional[float]
    error_summary: Optional[str]


@dataclass(frozen=True)
class FailingJob:
    """A job of an agent whose runs failed, with the error of the latest failure."""

    agent_name: Optional[str]
    job_type: Optional[str]
    runs: int
    failed: int
    error_summary: Optional[str]
    run_id: str
    last_failure: str


@dataclass(frozen=True)
class ErrorGroup(RunLine):
    """Runs that failed with the same error; the other fields are those of the latest."""

    count: int
    agents: int


@dataclass(frozen=True)
class StaleLine:
    """A run that is stale now."""

    run_id: str
    agent_name: Optional[str]
    job_type: Optional[str]
    start_time: Optional[str]
    last_event_time: Optional[str]
    reason: str


@dataclass(frozen=True)
class Figures:
    """Everything that a report says."""

    period: Period
    is_of_roots: bool
    """Whether nested runs are left out."""
    nested_left_out: int
    totals: PeriodTotals
    before: PeriodTotals
    """The totals of the period before, of the same length."""
    parts: dict[str, dict[str, int]]
    """Runs by status, for each part of the period."""
    agents: list[AgentCounts]
    """The agents with the most runs."""
    others: Optional[OtherAgents]
    slowest: list[RunLine]
    failing: list[FailingJob]
    errors: list[ErrorGroup]
    stale: list[StaleLine]
    """Runs that are stale now, whenever they started."""
    stale_count: int
    work: list[WorkTable]
    """What models cost and how tools did; nothing where there were no such calls."""
    last_words: dict[str, str]
    """What stale runs were doing when they were last heard of, by run id."""
