"""`telemetry sessions`: the sessions of coding agents that were imported."""

from __future__ import annotations

from typing import Any, Optional

import click

from indexer.cli.context import Settings, base_option, json_option, open_database
from indexer.cli.exit_codes import OK
from indexer.cli.session_rows import SessionFilter, session_rows
from indexer.semantics.sessions.tools import all_tools
from indexer.terminal.format import count, duration, local_time, plain
from indexer.terminal.json_output import print_json
from indexer.terminal.table import Column, print_table
from indexer.terminal.time_options import moment

EXAMPLES = """\b
Examples:
  telemetry sessions
  telemetry sessions --tool codex --since 7d
  telemetry sessions --project my-app --json | jq '.[].cost_usd'

`telemetry import all` imports them; `telemetry show RUN --transcript` reads one.
"""

_COLUMNS = (
    Column("RUN", style="dim", cut=True),
    Column("TOOL"),
    Column("PROJECT", cut=True),
    Column("MODEL", cut=True),
    Column("STARTED"),
    Column("TOOK", right=True),
    Column("TURNS", right=True),
    Column("TOOLS", right=True, minor=True),
    Column("TOKENS", right=True),
    Column("COST", right=True),
)


@click.command("sessions", epilog=EXAMPLES)
@click.option("--tool", type=click.Choice(list(all_tools())), help="Only of this coding agent.")
@click.option("--project", metavar="TEXT", help="Only where the project has this in its name.")
@click.option("--since", metavar="WHEN", callback=moment, help="Only with activity since then.")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="List at most this many; 0 for all.",
)
@json_option
@base_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    tool: Optional[str],
    project: Optional[str],
    since: Optional[str],
    limit: int,
    as_json: bool,
) -> int:
    """List imported sessions of coding agents, latest first.

    Tokens and cost include subagents; each call counts once, in the session that made it. The
    cost is what the tool reported, else the list price.
    """
    with open_database(settings.base()) as connection:
        rows = session_rows(connection, SessionFilter(tool, project, since, limit))
    if as_json:
        print_json(rows)
    elif rows:
        print_table(_COLUMNS, [_cells(row) for row in rows])
    else:
        click.echo("no sessions match; `telemetry import all` imports them", err=True)
    return OK


def _cells(row: dict[str, Any]) -> list[str]:
    cost = row["cost_usd"]
    return [
        plain(row["run_id"]),
        plain(row["tool"]),
        plain(row["project"] or ""),
        plain(row["models"] or ""),
        local_time(row["start_time"]),
        duration(row["duration_ms"]),
        count(row["turns"]),
        count(row["tools"] or 0),
        count(_tokens(row)),
        "" if cost is None else f"${cost:,.2f}",
    ]


def _tokens(row: dict[str, Any]) -> int:
    names = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
    return sum(row[name] or 0 for name in names)
