"""`telemetry stats`: runs by agent and by status.

Called by the command line. It only reads; the numbers are those of the view `runs_by_agent`.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import click

from indexer.cli.context import Settings, base_option, json_option, open_view
from indexer.store.schema import TOTALS_BY_AGENT
from indexer.terminal.human import count, duration, local_time, plain
from indexer.terminal.output import Column, at_terminal, print_json, print_table

EXAMPLES = """\b
Examples:
  telemetry stats
  telemetry stats --json | jq '.by_agent[] | select(.success_rate < 0.9)'
"""


@click.command("stats", epilog=EXAMPLES)
@json_option
@base_option
@click.pass_obj
def command(settings: Settings, as_json: bool) -> int:
    """Show how many runs each agent had, how they ended and how long they took."""
    with open_view(settings.config()) as connection:
        stats = _stats(connection)
    if as_json:
        print_json(stats)
    elif stats["runs"]:
        _print_stats(stats)
    else:
        click.echo("no runs", err=True)
    return 0


def runs_by_status(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many runs there are of each status."""
    rows = connection.execute("SELECT status, count(*) FROM agent_runs GROUP BY status")
    return {"unknown" if status is None else status: number for status, number in rows}


def in_words(by_status: dict[str, int]) -> str:
    """Return numbers by status as one line."""
    return ", ".join(f"{count(number)} {plain(status)}" for status, number in by_status.items())


def _stats(connection: sqlite3.Connection) -> dict[str, Any]:
    by_agent = _by_agent(connection)
    (events,) = connection.execute("SELECT sum(event_count) FROM agent_runs").fetchone()
    return {
        "runs": sum(agent["runs"] for agent in by_agent),
        "events": events or 0,
        "by_status": runs_by_status(connection),
        "by_agent": by_agent,
    }


def _by_agent(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return the rows of `runs_by_agent`, for which the view needs twice the time."""
    durations = _durations(connection)
    agents = []
    for row in connection.execute(f"{TOTALS_BY_AGENT} ORDER BY runs DESC, agent_name"):
        agent = dict(row)
        measured = durations.get(agent["agent_name"])
        if measured:
            agent["p50_duration_ms"] = _percentile(measured, 50)
            agent["p95_duration_ms"] = _percentile(measured, 95)
        agents.append(agent)
    return agents


def _durations(connection: sqlite3.Connection) -> dict[str, list[Any]]:
    """Return each agent's durations, the shortest first."""
    durations: dict[str, list[Any]] = {}
    for agent, duration_ms in connection.execute(
        "SELECT agent_name, duration_ms FROM agent_runs WHERE duration_ms IS NOT NULL"
        " ORDER BY agent_name, duration_ms"
    ):
        durations.setdefault(agent, []).append(duration_ms)
    return durations


def _percentile(ordered: list[Any], percent: int) -> Any:
    """Return the first value that so many per cent do not exceed."""
    return ordered[-(-len(ordered) * percent // 100) - 1]


def _print_stats(stats: dict[str, Any]) -> None:
    columns = [
        Column("AGENT", cut=True), Column("RUNS", right=True), Column("OK", right=True),
        Column("FAILED", right=True), Column("RUNNING", right=True), Column("SUCCESS", right=True),
        Column("P50", right=True), Column("P95", right=True), Column("LAST RUN"),
    ]  # fmt: skip
    print_table(columns, [_cells(agent) for agent in stats["by_agent"]])
    click.echo()
    events = count(stats["events"])
    click.echo(f"{count(stats['runs'])} runs: {in_words(stats['by_status'])}; {events} events")


def _cells(agent: dict[str, Any]) -> list[str]:
    rate = agent["success_rate"]
    return [
        plain(agent["agent_name"]),
        count(agent["runs"]),
        count(agent["succeeded"]),
        count(agent["failed"]),
        count(agent["running"]),
        "" if rate is None else f"{rate:.0%}",
        duration(agent["p50_duration_ms"]),
        duration(agent["p95_duration_ms"]),
        local_time(agent["last_run"], short=at_terminal()),
    ]
