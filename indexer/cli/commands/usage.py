"""`telemetry usage`: tokens and costs, by model, agent, day or run.

Called by the command line. It only reads; the numbers are those of the views of usage.
"""

from __future__ import annotations

from typing import Any, Optional

import click

from indexer.cli.context import Settings, base_option, fleet_options, json_option
from indexer.cli.exit_codes import OK
from indexer.cli.reading import open_for
from indexer.store.spans.prices import price_version
from indexer.store.spans.usage import GROUPINGS, usage_by, usage_total
from indexer.terminal.console import at_terminal
from indexer.terminal.format import plain
from indexer.terminal.hyperlink import linked_run
from indexer.terminal.json_output import print_json
from indexer.terminal.runs_table import short_id
from indexer.terminal.spans.usage import USAGE_COLUMNS, notes, usage_cells
from indexer.terminal.table import Column, print_table
from indexer.terminal.time_options import MOMENT_HELP, moment

EXAMPLES = f"""\b
Examples:
  telemetry usage
  telemetry usage --by agent --since 7d
  telemetry usage --by day --json | jq '.rows[] | [.day, .cost_estimated_usd]'

{MOMENT_HELP}

Tokens are in exclusive buckets: INPUT was neither read from a cache nor written to one. HITS is
the share of all input that was read from a cache. LIST PRICE is an estimate by public prices and
by config/prices.toml; REPORTED is what the source itself said.
"""

_TITLES = {
    "model": ("PROVIDER", "MODEL"),
    "agent": ("AGENT",),
    "day": ("DAY",),
    "run": ("RUN", "AGENT"),
}
_NAMES = {
    "model": ("provider", "model"),
    "agent": ("agent_name",),
    "day": ("day",),
    "run": ("run_id", "agent_name"),
}


@click.command("usage", epilog=EXAMPLES)
@click.option(
    "--by",
    type=click.Choice(list(GROUPINGS)),
    default="model",
    show_default=True,
    help="Sum by this.",
)
@click.option("--since", metavar="WHEN", callback=moment, help="Only calls that began since then.")
@json_option
@fleet_options
@base_option
@click.pass_obj
def command(settings: Settings, *, by: str, since: Optional[str], as_json: bool) -> int:
    """Show what model calls used and what they cost."""
    needs_runs = by in ("agent", "run")
    with open_for(settings, lambda fleet: fleet.usage(since, needs_runs=needs_runs)) as connection:
        rows = usage_by(connection, by, since)
        total = usage_total(connection, since)
        version = price_version(connection)
    if as_json:
        print_json({"by": by, "since": since, "prices": version, "rows": rows, "total": total})
    elif rows:
        _print_usage(by, rows, total, version)
    else:
        click.echo("no model calls with usage", err=True)
    return OK


def _print_usage(
    by: str, rows: list[dict[str, Any]], total: dict[str, Any], version: Optional[str]
) -> None:
    columns = [*(Column(title, cut=True) for title in _TITLES[by]), *USAGE_COLUMNS]
    cells = [[*_names(by, row), *usage_cells(row)] for row in rows]
    if len(rows) > 1:
        cells.append(["all", *[""] * (len(_NAMES[by]) - 1), *usage_cells(total)])
    print_table(columns, cells)
    click.echo()
    for note in (f"List prices: {version or 'none'}", *notes([total])):
        click.echo(note)


def _names(by: str, row: dict[str, Any]) -> list[str]:
    names = [plain(row[name]) for name in _NAMES[by]]
    if by == "run" and at_terminal():
        names[0] = linked_run(row["run_id"], short_id(row["run_id"]))
    return names
