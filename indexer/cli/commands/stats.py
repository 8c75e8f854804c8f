"""`telemetry stats`: runs by agent and by status.

Called by the command line. It only reads; the numbers are those of the view `runs_by_agent`.
"""

from __future__ import annotations

from typing import Any

import click

from indexer.cli.context import Settings, base_option, json_option, open_database
from indexer.health.summary import runs_sentence
from indexer.store.totals import totals
from indexer.terminal.console import at_terminal
from indexer.terminal.format import count, duration, local_time, plain
from indexer.terminal.json_output import print_json
from indexer.terminal.table import Column, print_table

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
    with open_database(settings.base()) as connection:
        stats = totals(connection)
    if as_json:
        print_json(stats)
    elif stats["runs"]:
        _print_stats(stats)
    else:
        click.echo("no runs", err=True)
    return 0


def _print_stats(stats: dict[str, Any]) -> None:
    columns = [
        Column("AGENT", cut=True),
        Column("RUNS", right=True),
        Column("OK", right=True),
        Column("FAILED", right=True),
        Column("RUNNING", right=True),
        Column("SUCCESS", right=True),
        Column("P50", right=True),
        Column("P95", right=True),
        Column("LAST RUN"),
    ]
    print_table(columns, [_cells(agent) for agent in stats["by_agent"]])
    click.echo()
    events = count(stats["events"])
    click.echo(f"{count(stats['runs'])} runs: {runs_sentence(stats['by_status'])}; {events} events")


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
