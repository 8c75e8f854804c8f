"""`/`: what runs now, how the last day went, and what needs attention.

Called by the application.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Optional

from indexer.terminal.format import count, many
from indexer.ui.charts.bars import Bars, single_bars, stacked_bars
from indexer.ui.pages.failure import Said, message
from indexer.ui.pages.words import hour_label
from indexer.ui.queries.agents import FAILED, Agent, Agents, look_back, median_by_agent
from indexer.ui.queries.alerts import firing_alerts
from indexer.ui.queries.day import Hour, last_day
from indexer.ui.queries.runs import Row, is_recorded, running_runs
from indexer.ui.queries.usage import Period, Usage, usage_by
from indexer.ui.readers import Deadline
from indexer.ui.rendering import money, short
from indexer.ui.site import PAGE_SECONDS, Asked, Reply, Site, html, json
from telemetry_core.timestamp import format_time

_NOTHING_SHIPPED = Said(
    200,
    "Nothing here yet",
    "No host has shipped to this fleet.",
    "`telemetry docs fleet` says how hosts ship; `telemetry forward status` on a host says how it"
    " goes.",
)
_MOST_RUNNING = 12
_MOST_ATTENTION = 8
_USUAL_DAYS = 8
_LOOK_BACK_SECONDS = 0.05
_SPENDING_SECONDS = 0.03
_SPENDING_DAYS = 14


@dataclass(frozen=True)
class Day:
    """The last 24 hours."""

    runs: int
    failed: int
    chart: Bars
    hours: list[Hour]
    statuses: list[str]

    @property
    def failure_rate(self) -> Optional[float]:
        """Which part of the runs failed."""
        return self.failed / self.runs if self.runs else None


def overview(site: Site, asked: Asked) -> Reply:
    """Return the first page."""
    with site.readers.connection(PAGE_SECONDS) as connection:
        if not is_recorded(connection):
            if site.is_fleet:
                return message(site, asked, _NOTHING_SHIPPED)
            return html(site, asked, "welcome.html", base=str(site.base.directory))
        running = running_runs(connection, _MOST_RUNNING + 1)
        kept = site.kept
        day = kept.get("last day", lambda: _day(connection))
        agents = kept.get(
            "agents of a week", lambda: look_back(connection, _USUAL_DAYS, _LOOK_BACK_SECONDS)
        )
        alerts = kept.get("alerts", lambda: firing_alerts(connection))
        spending = kept.get("spending", lambda: spending_of(connection))
    health = site.health.latest()
    if asked.form == "json":
        return json(
            {**_as_json(running, day, agents, health), "alerts": [one._asdict() for one in alerts]}
        )
    return html(
        site,
        asked,
        "overview.html",
        sentence=sentence(running, day),
        running=running[:_MOST_RUNNING],
        has_more=len(running) > _MOST_RUNNING,
        medians=median_by_agent(agents.agents),
        day=day,
        attention=needing_attention(agents.agents),
        health=health,
        spending=spending,
        alerts=alerts,
    )


@dataclass(frozen=True)
class Spending:
    """What model calls cost, by day."""

    today: Usage
    usual: Optional[float]
    """The median of the other days, of those on which anything was spent."""
    chart: Bars


def spending_of(connection: sqlite3.Connection) -> Optional[Spending]:
    """Return what the last two weeks cost; None if no model was called in them."""
    today = datetime.now().astimezone()
    since = format_time(today - timedelta(days=_SPENDING_DAYS))
    table = usage_by(connection, "day", Period(since), Deadline(_SPENDING_SECONDS))
    if not table.rows:
        return None
    days = [today - timedelta(days=number) for number in range(_SPENDING_DAYS - 1, -1, -1)]
    rows = [(f"{one:%b} {one.day}", table.rows.get(f"{one:%Y-%m-%d}", Usage())) for one in days]
    costs = sorted(row.cost for _, row in rows[:-1] if row.cost)
    chart = single_bars([(name, f"{name}: {money(row.cost)}", row.cost) for name, row in rows])
    return Spending(rows[-1][1], costs[len(costs) // 2] if costs else None, chart)


def sentence(running: Sequence[Row], day: Day) -> str:
    """Return how things are, in one sentence."""
    alive = [row for row in running if not row.stale]
    names = {short(row.run.agent_name) for row in alive}
    if not alive:
        now = "Nothing is running."
    elif len(names) == 1:
        now = f"One agent is running: {names.pop()}."
    else:
        most = "At least " if len(running) > _MOST_RUNNING else ""
        now = f"{most}{_number(len(names))} agents are running.".capitalize()
    if not day.runs:
        return f"{now} No run began in the last 24 hours."
    failed = count(day.failed) if day.failed else "None"
    return f"{now} {failed} of {many(day.runs, 'run')} failed in the last 24 hours."


def _number(number: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[number] if number < len(words) else count(number)


def _day(connection: sqlite3.Connection) -> Day:
    hours = last_day(connection)
    parts = [(hour_label(hour.start), _hour_title(hour), hour.statuses) for hour in hours]
    statuses = sorted({status for hour in hours for status in hour.statuses})
    runs = sum(sum(hour.statuses.values()) for hour in hours)
    failed = sum(hour.statuses.get(status, 0) for hour in hours for status in FAILED)
    return Day(runs, failed, stacked_bars(parts), hours, statuses)


def _hour_title(hour: Hour) -> str:
    numbers = ", ".join(f"{count(number)} {status}" for status, number in hour.statuses.items())
    return f"{hour_label(hour.start)}: {numbers or 'no runs'}"


def needing_attention(agents: Sequence[Agent]) -> list[Agent]:
    """Return the agents that fail or dawdle more than usual, the worst first."""
    found = [agent for agent in agents if agent.is_failing or agent.is_slow]
    return sorted(found, key=lambda agent: -agent.recent.failed)[:_MOST_ATTENTION]


def _as_json(
    running: Sequence[Row], day: Day, agents: Agents, health: Optional[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "running": [
            {**row.run._asdict(), "stale": row.stale, "elapsed_ms": row.run.elapsed_ms}
            for row in running
        ],
        "last_24_hours": [{"start": hour.start, "runs": hour.statuses} for hour in day.hours],
        "needs_attention": [
            {
                "agent_name": agent.name,
                "failed": agent.recent.failed,
                "ended": agent.recent.ended,
                "usual_failure_rate": agent.usual.failure_rate,
                "p95_ms": agent.recent.percentile(95),
                "usual_p95_ms": agent.usual.percentile(95),
            }
            for agent in needing_attention(agents.agents)
        ],
        "health": health and {"state": health["state"], "problems": health["problems"]},
    }
