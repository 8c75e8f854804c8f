"""Say when each job of an agent is due next: by a `missed` rule, else by its own rhythm. Pure.

Called by the page of agents. It asks the database for nothing: the look back over the runs has
the times at which the jobs began.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Optional

from indexer.alerts.rule import MISSED, Rule
from indexer.alerts.suggest.rhythm import suggest
from indexer.alerts.times.durations import in_words, moment
from indexer.alerts.times.schedule import next_time
from indexer.alerts.times.zones import local_zone
from indexer.ui.queries.agents import Agent
from telemetry_core.duration import parse_duration

_GONE_AFTER = 3
"""A rhythm that was left out so many times is not one any more."""


@dataclass(frozen=True)
class Schedule:
    """When one job runs."""

    job: str
    words: str
    """As in `every 1 h` or `0 3 * * *`."""
    due: Optional[datetime]
    """When it is due next, or has been since; None if that is unknown."""
    grace: timedelta
    has_rule: bool
    """Whether an alert rule says so; else it is what the job usually does."""

    def is_late(self, now: datetime) -> bool:
        """Whether a rule's time and grace are over."""
        return self.has_rule and self.due is not None and now > self.due + self.grace


def next_of(agent: Agent, rules: Iterable[Rule], now: datetime) -> Optional[Schedule]:
    """Return the schedule of the job that is due first; None if no job has one."""
    missed = [rule for rule in rules if rule.kind == MISSED]
    found = [
        schedule
        for job, times in agent.starts.items()
        for schedule in [_schedule(agent.name, job, _moments(times), missed, now)]
        if schedule is not None
    ]
    return min(found, key=lambda one: (one.due is None, one.due or now), default=None)


def _moments(times: Iterable[str]) -> list[datetime]:
    return sorted(time for time in map(moment, times) if time is not None)


def _schedule(
    agent: str, job: str, starts: Sequence[datetime], rules: Iterable[Rule], now: datetime
) -> Optional[Schedule]:
    if not starts:
        return None
    for rule in rules:
        if rule.selects(agent, job):
            return _by_rule(job, rule, starts[-1])
    return _by_rhythm(job, starts, now)


def _by_rule(job: str, rule: Rule, last: datetime) -> Schedule:
    if rule.every is not None:
        words = f"every {in_words(rule.every)}"
        return Schedule(job, words, last + rule.every, rule.grace, has_rule=True)
    due = _next(rule.cron, rule.timezone, last)
    return Schedule(job, rule.cron, due, rule.grace, has_rule=True)


def _by_rhythm(job: str, starts: Sequence[datetime], now: datetime) -> Optional[Schedule]:
    zone = local_zone()
    usual = suggest([one.astimezone(zone) for one in starts])
    if usual is None:
        return None
    every = parse_duration(usual.every) if usual.every else timedelta(days=1)
    if now - starts[-1] > every * _GONE_AFTER:
        return None
    due = starts[-1] + every
    words = (
        f"usually every {in_words(every)}"
        if usual.every
        else f"usually at {due.astimezone(zone):%H:%M}"
    )
    return Schedule(job, words, due, parse_duration(usual.grace), has_rule=False)


def _next(cron: str, zone: str, last: datetime) -> Optional[datetime]:
    try:
        return next_time(cron, zone, last)
    except ValueError:
        # The library that reads cron expressions is an extra.
        return None
