"""Say what an alert rule watches, and who is notified. It holds data only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any, Optional

from indexer.alerts.times.quiet_hours import QuietHours

FAILED, MISSED, STALE, SLOW = "failed", "missed", "stale", "slow"
SPEND, SILENT, HEALTH, SQL, RAISED = "spend", "silent", "health", "sql", "raised"
KINDS = (FAILED, MISSED, STALE, SLOW, SPEND, SILENT, HEALTH, SQL, RAISED)
LEVELS = ("info", "warning", "error", "critical")
"""From the least to the most serious."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Rule:
    """One rule. Which of the settings below `channels` have a meaning depends on the kind."""

    name: str
    kind: str
    agents: tuple[str, ...] = ()
    """Patterns of agent names, as in a shell; empty for all."""
    jobs: tuple[str, ...] = ()
    """Patterns of job types; empty for all."""
    statuses: tuple[str, ...] = ()
    """`failed`: what counts as failed; `missed`: what counts as done. Empty for the default."""
    channels: tuple[str, ...] = ()
    level: str = "warning"
    on: str = ""
    """The centre whose rows it is evaluated on, by the name of its target; empty for this host."""
    link: str = ""
    """The address of the live page, for links to runs."""
    remind: Optional[timedelta] = None
    """How often an alert that still fires is repeated."""
    quiet: Optional[QuietHours] = None
    group: timedelta = timedelta(minutes=1)
    """The least time between two messages; what comes meanwhile is one message."""
    every: Optional[timedelta] = None
    cron: str = ""
    timezone: str = ""
    """IANA name of the zone that `cron` and `quiet` are in; empty for this machine's."""
    grace: timedelta = timedelta(0)
    in_a_row: int = 0
    rate: float = 0.0
    window: timedelta = DAY
    minimum: int = 5
    after: timedelta = HOUR
    factor: float = 3.0
    limit: Optional[timedelta] = None
    cost_usd: Optional[float] = None
    tokens: Optional[int] = None
    per: str = "day"
    query: str = ""

    def selects(self, agent: Any, job: Any) -> bool:
        """Return whether runs of this agent and job are watched."""
        return _matches(agent, self.agents) and _matches(job, self.jobs)

    @property
    def fixed_subjects(self) -> tuple[tuple[str, str], ...]:
        """Agents and jobs that are named in full: they are watched before they ever ran."""
        names = (*self.agents, *self.jobs)
        if not self.agents or not self.jobs or any(set(name) & set("*?[") for name in names):
            return ()
        return tuple((agent, job) for agent in self.agents for job in self.jobs)


def _matches(name: Any, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(str(name or ""), pattern) for pattern in patterns)
