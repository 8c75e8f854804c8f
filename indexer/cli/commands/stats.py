"""`telemetry stats`: summarize runs by agent and status."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, replace
from typing import Any

import click

from indexer.cli.context import Settings, base_option, fleet_options, json_option
from indexer.cli.exit_codes import OK
from indexer.cli.reading import open_for
from indexer.cli.run_options import (
    explain_no_match,
    nested_option,
    root_runs,
    run_filter_options,
    with_parent_found,
)
from indexer.health.summary import outcomes
from indexer.store.run_queries import RunFilter, count_all
from indexer.store.totals import AgentCounts, Totals, totals
from indexer.terminal.console import at_terminal
from indexer.terminal.format import count, duration, local_time, many, percent, plain
from indexer.terminal.json_output import print_json
from indexer.terminal.table import Column, print_table
from indexer.terminal.time_options import MOMENT_HELP

EXAMPLES = f"""\b
Examples:
  telemetry stats
  telemetry stats --since 7d --agent crawler
  telemetry stats --nested --json | jq '.by_agent[] | select(.success_rate < 0.9)'

{MOMENT_HELP}
"""

_COLUMNS = (
    Column("AGENT", cut=True),
    Column("RUNS", right=True),
    Column("OK", right=True),
    Column("PARTIAL", right=True),
    Column("FAILED", right=True),
    Column("CANCELLED", right=True),
    Column("RUNNING", right=True),
    Column("STALE", right=True),
    Column("OTHER", right=True),
    Column("SUCCESS", right=True),
    Column("MEDIAN", right=True),
    Column("P95", right=True),
    Column("LAST RUN", minor=True),
)


@click.command("stats", epilog=EXAMPLES)
@run_filter_options()
@nested_option
@json_option
@fleet_options
@base_option
@click.pass_obj
def command(settings: Settings, *, chosen: RunFilter, nested: bool, as_json: bool) -> int:
    """Show how many runs each agent had, how they ended and how long they took.

    Counts root runs; --nested counts the runs inside them as well. FAILED includes timeouts;
    STALE are runs whose process is gone or silent. SUCCESS is the share of OK among the runs that
    are no longer running.
    """
    with open_for(settings, lambda fleet: fleet.runs(chosen)) as connection:
        chosen = root_runs(with_parent_found(connection, chosen), nested)
        found = totals(connection, chosen)
        left_out = _count_nested(connection, chosen, found.total.runs)
        if as_json:
            print_json(_as_json(found, left_out))
        elif found.total.runs:
            print_table(_COLUMNS, _rows(found))
            _print_footer(found, chosen, left_out)
        else:
            explain_no_match(connection, chosen)
    return OK


def _count_nested(connection: sqlite3.Connection, chosen: RunFilter, counted: int) -> int:
    """Return how many runs are not among those counted because they are nested in another."""
    if not chosen.is_root:
        return 0
    return count_all(connection, replace(chosen, is_root=False)) - counted


def _as_json(found: Totals, left_out: int) -> dict[str, Any]:
    total = asdict(found.total)
    return {
        "runs": total.pop("runs"),
        "nested_runs_left_out": left_out,
        "events": found.events,
        **total,
        "by_agent": [asdict(agent) for agent in found.by_agent],
    }


def _rows(found: Totals) -> list[list[str]]:
    agents = [_cells(agent) for agent in found.by_agent]
    if not at_terminal():
        return agents
    # A column of nothing but zeros says nothing; what people look for first stays.
    return [
        [cell if number < 3 or _is_used(agents, number) else "" for number, cell in enumerate(row)]
        for row in agents
    ]


def _is_used(rows: list[list[str]], number: int) -> bool:
    return _COLUMNS[number].title in ("FAILED", "SUCCESS") or any(
        row[number] != "0" for row in rows
    )


def _cells(agent: AgentCounts) -> list[str]:
    return [
        plain(agent.agent_name),
        count(agent.runs),
        count(agent.succeeded),
        count(agent.partial),
        count(agent.failed),
        count(agent.cancelled),
        count(agent.running),
        count(agent.stale),
        count(agent.other),
        percent(agent.success_rate),
        duration(agent.p50_duration_ms),
        duration(agent.p95_duration_ms),
        local_time(agent.last_run, short=at_terminal()),
    ]


def _print_footer(found: Totals, chosen: RunFilter, left_out: int) -> None:
    noun = "root run" if chosen.is_root else "run"
    click.echo()
    click.echo(f"{many(found.total.runs, noun)}: {outcomes(found.total)}")
    click.echo(f"{many(found.events, 'event')} recorded in them")
    if left_out:
        verb = "is" if left_out == 1 else "are"
        click.echo(f"{many(left_out, 'nested run')} {verb} not counted: --nested counts all")
