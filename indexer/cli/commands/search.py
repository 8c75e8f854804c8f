"""`telemetry search`: find events that contain a text."""

from __future__ import annotations

import sqlite3
from typing import Any, Optional

import click

from indexer.cli.context import Settings, base_option, json_option, open_database
from indexer.cli.exit_codes import OK
from indexer.errors import QueryFailed
from indexer.store.answers import time_limit
from indexer.store.search.query import events_with
from indexer.terminal.format import local_time, plain
from indexer.terminal.hyperlink import linked_run
from indexer.terminal.json_output import print_json
from indexer.terminal.runs_table import short_id
from indexer.terminal.table import Column, print_table
from indexer.terminal.time_options import MOMENT_HELP, moment

EXAMPLES = f"""\b
Examples:
  telemetry search "connection refused"
  telemetry search timeout --since 7d --json | jq -r '.[].run_id'

{MOMENT_HELP}
"""


_COLUMNS = [
    Column("TIME"),
    Column("RUN", style="dim"),
    Column("EVENT"),
    Column("PAYLOAD", cut=True),
]


@click.command("search", epilog=EXAMPLES)
@click.argument("text")
@click.option("--since", metavar="WHEN", callback=moment, help="Only events since then.")
@click.option("--run", "run_id", metavar="RUN", help="Only events of this run.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Stop after this many seconds.",
)
@json_option
@base_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    text: str,
    since: Optional[str],
    run_id: Optional[str],
    limit: int,
    timeout: float,
    as_json: bool,
) -> int:
    """Find the latest events whose type or payload contains TEXT, in any case.

    It reads the events one by one: --since and --run make it quick where there are many, and so
    does an index, which `index = true` in [search] of config/telemetry.toml has the indexer keep.
    """
    if not text.strip():
        raise click.UsageError("the text is empty: every event contains it")
    with open_database(settings.base()) as connection:
        try:
            with time_limit(connection, timeout):
                found = events_with(connection, text, since or "", run_id, limit)
        except sqlite3.OperationalError as error:
            if "interrupted" not in str(error):
                raise
            raise _too_slow(timeout) from None
    if as_json:
        print_json(found)
    elif found:
        print_table(_COLUMNS, [_cells(row) for row in found])
    else:
        click.echo(f"no event contains {plain(text)}", err=True)
    return OK


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        local_time(row["timestamp"], short=True),
        linked_run(row["run_id"], short_id(row["run_id"])),
        plain(row["event_type"]),
        plain(row["payload"]),
    ]


def _too_slow(timeout: float) -> QueryFailed:
    failed = QueryFailed(f"the search took longer than {timeout:g} s")
    failed.hint = "Use --since or --run, allow more with --timeout, or have an index kept (--help)"
    return failed
