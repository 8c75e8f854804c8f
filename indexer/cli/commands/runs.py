"""`telemetry runs`: the latest runs, newest first.

Called by the command line. It only reads.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Optional

import click

from indexer.cli.context import Settings, base_option, json_option, open_database
from indexer.terminal.json_output import print_json
from indexer.terminal.runs_table import print_runs, with_reasons
from indexer.terminal.time_options import MOMENT_HELP, moment
from telemetry_core.status import normalise_status

EXAMPLES = f"""\b
Examples:
  telemetry runs
  telemetry runs --agent crawler --status failed --since 7d
  telemetry runs --since 2026-11-22 --json | jq '.[].run_id'

{MOMENT_HELP}

A run's name at a terminal is the end of its id; `telemetry show` takes either.
"""


@click.command("runs", epilog=EXAMPLES)
@click.option("--agent", help="Only this agent's runs.")
@click.option("--status", help="Only runs of this status.")
@click.option("--since", metavar="WHEN", callback=moment, help="Only runs that started since then.")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="At most so many; 0 for all.",
)
@json_option
@base_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    agent: Optional[str],
    status: Optional[str],
    since: Optional[str],
    limit: int,
    as_json: bool,
) -> int:
    """List the latest runs, newest first."""
    status = None if status is None else normalise_status(status)
    with open_database(settings.base()) as connection:
        rows = _select(connection, agent, status, since, limit)
    if as_json:
        print_json(rows)
    elif rows:
        print_runs(rows)
    else:
        click.echo("no such runs", err=True)
    return 0


def _select(
    connection: sqlite3.Connection,
    agent: Optional[str],
    status: Optional[str],
    since: Optional[str],
    limit: int,
) -> list[dict[str, Any]]:
    wanted = {"agent_name = ?": agent, "status = ?": status, "start_time >= ?": since}
    conditions = [condition for condition, value in wanted.items() if value is not None]
    values = [value for value in wanted.values() if value is not None]
    rows = connection.execute(
        "SELECT * FROM agent_runs"
        + (f" WHERE {' AND '.join(conditions)}" if conditions else "")
        + " ORDER BY start_time DESC, run_id DESC LIMIT ?",
        (*values, limit or -1),
    ).fetchall()
    return with_reasons(connection, rows)
