"""`/agents`: how each agent does, over the last days.

Called by the application.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Optional

from indexer.alerts.rule import Rule
from indexer.alerts.settings.load import load_alerts
from indexer.terminal.format import many
from indexer.ui.charts.sparkline import Sparkline, sparkline
from indexer.ui.pages.words import day
from indexer.ui.queries.agents import Agent, Agents, look_back
from indexer.ui.queries.schedules import Schedule, next_of
from indexer.ui.rendering import sentence_list, short
from indexer.ui.site import PAGE_SECONDS, Asked, Reply, Site, csv, html, json
from telemetry_core.timestamp import format_time

DAYS = 30
_SECONDS = 0.08
_MOST_AGENTS = 200


@dataclass(frozen=True)
class AgentRow:
    """An agent with its small charts."""

    agent: Agent
    rate: Sparkline
    times: Sparkline
    schedule: Optional[Schedule]
    due: str
    """When it is due, as text; empty if that is unknown."""
    is_late: bool


def agents(site: Site, asked: Asked) -> Reply:
    """Return the page of agents."""
    days = asked.number("days", DAYS, 366)
    with site.readers.connection(PAGE_SECONDS) as connection:
        found = site.kept.get(
            f"agents of {days} days", lambda: look_back(connection, days, _SECONDS)
        )
    if asked.form == "json":
        return json({"agents": [_record(agent) for agent in found.agents]})
    if asked.form == "csv":
        records = [_record(agent) for agent in found.agents]
        return csv(_FIELDS, [[record[name] for name in _FIELDS] for record in records])
    keys = _days(days)
    # Rules on a fleet are about the jobs of all hosts.
    rules = [rule for rule in load_alerts(site.base).rules if not rule.on]
    rows = [_row(agent, keys, rules) for agent in found.agents[:_MOST_AGENTS]]
    return html(
        site,
        asked,
        "agents.html",
        sentence=sentence(found, days),
        rows=rows,
        days=days,
        has_schedules=any(row.schedule for row in rows),
        searched=day(found.searched_to) if found.searched_to else "",
        failing=[row.agent for row in rows if row.agent.failures],
    )


def sentence(found: Agents, days: int) -> str:
    """Return how the agents do, in one sentence."""
    if not found.agents:
        return f"No agent ran in the last {days} days."
    number = many(len(found.agents), "agent")
    worse = [short(agent.name) for agent in found.agents if agent.is_failing]
    sentence = f"{number} ran in the last {days} days"
    if not worse:
        return f"{sentence}; none fails more today than it usually does."
    verb = "fails" if len(worse) == 1 else "fail"
    names = sentence_list(worse[:3]) + (" and others" if len(worse) > 3 else "")
    return f"{sentence}; {names} {verb} more today than usual."


def _days(days: int) -> list[str]:
    today = datetime.now().astimezone()
    return [f"{today - timedelta(days=number):%Y-%m-%d}" for number in range(days - 1, -1, -1)]


def _row(agent: Agent, days: Sequence[str], rules: Sequence[Rule]) -> AgentRow:
    looks = [agent.days.get(key) for key in days]
    good: list[Optional[float]] = [
        None if look is None or look.failure_rate is None else 1 - look.failure_rate
        for look in looks
    ]
    medians = [look.percentile(50) if look else None for look in looks]
    slowest = [look.percentile(95) if look else None for look in looks]
    now = datetime.now(timezone.utc)
    schedule = next_of(agent, rules, now)
    return AgentRow(
        agent,
        sparkline([good]),
        sparkline([medians, slowest]),
        schedule,
        format_time(schedule.due) if schedule and schedule.due else "",
        schedule is not None and schedule.is_late(now),
    )


_FIELDS = (
    "agent_name",
    "runs",
    "failed",
    "running",
    "failure_rate",
    "p50_ms",
    "p95_ms",
    "last_run",
    "jobs",
)


def _record(agent: Agent) -> dict[str, Any]:
    return {
        "agent_name": agent.name,
        "runs": agent.all.runs,
        "failed": agent.all.failed,
        "running": agent.all.running,
        "failure_rate": agent.all.failure_rate,
        "p50_ms": agent.all.percentile(50),
        "p95_ms": agent.all.percentile(95),
        "last_run": agent.newest and agent.newest.start_time,
        "jobs": ", ".join(sorted(agent.jobs)),
    }
