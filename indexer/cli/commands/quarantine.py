"""`telemetry quarantine`: show log lines that could not be parsed, and acknowledge them."""

from __future__ import annotations

from itertools import islice

import click

from indexer.cli.context import Settings, base_option, json_option, open_database
from indexer.cli.exit_codes import OK
from indexer.health.acknowledgement import acknowledge, all_lines, is_new, load, new_lines
from indexer.health.model import QuarantinedLine
from indexer.terminal.format import count, many, plain
from indexer.terminal.json_output import print_json
from indexer.terminal.table import Column, print_table

EXAMPLES = """\b
Examples:
  telemetry quarantine                  lines that nobody has acknowledged
  telemetry quarantine --acknowledge    acknowledge them: status is ok again
  telemetry quarantine --all --json | jq -r '.[].reason' | sort | uniq -c
"""


@click.command("quarantine", epilog=EXAMPLES)
@click.option("--all", "everything", is_flag=True, help="Show acknowledged lines as well.")
@click.option(
    "--acknowledge",
    "acknowledging",
    is_flag=True,
    help="Acknowledge all quarantined lines that there are now.",
)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Show at most this many; 0 for all.",
)
@json_option
@base_option
@click.pass_obj
def command(
    settings: Settings, *, everything: bool, acknowledging: bool, limit: int, as_json: bool
) -> int:
    """Show log lines that could not be parsed, the latest first.

    No other line is affected, and these stay in the log. `telemetry status` exits 3 until they
    are acknowledged, and again for lines that are quarantined later.
    """
    base = settings.base()
    with open_database(base) as connection:
        seen = load(base)
        new = sum(1 for _ in new_lines(connection, seen))
        lines = all_lines(connection) if everything else new_lines(connection, seen)
        shown = list(islice(lines, limit or None))
        if acknowledging and new:
            acknowledge(base, connection)
    if as_json:
        print_json(
            [
                {**line._asdict(), "acknowledged": not is_new(seen, line.file, line.offset)}
                for line in shown
            ]
        )
    else:
        _print_lines(shown)
    click.echo(_summary(new, acknowledging), err=True)
    return OK


def _summary(new: int, acknowledging: bool) -> str:
    if not new:
        return "no unacknowledged lines"
    lines = many(new, "line")
    if acknowledging:
        return f"acknowledged {lines}"
    return f"{lines} not acknowledged: `telemetry quarantine --acknowledge` acknowledges all"


def _print_lines(lines: list[QuarantinedLine]) -> None:
    if not lines:
        return
    columns = [
        Column("SEGMENT"),
        Column("OFFSET", right=True),
        Column("LENGTH", right=True),
        Column("REASON", cut=True),
        Column("BEGINS WITH", cut=True),
    ]
    print_table(columns, [quarantine_cells(line) for line in lines])


def quarantine_cells(line: QuarantinedLine) -> list[str]:
    """Return a quarantined line as the cells of a row."""
    return [
        plain(line.file),
        count(line.offset),
        count(line.length),
        plain(line.reason),
        plain(line.excerpt),
    ]
