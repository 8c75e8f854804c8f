"""`telemetry quarantine`: the lines of the log that are no events, and who has looked at them.

Called by the command line. It changes neither log nor view; a line stays where it is.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import click

from indexer.cli.context import Settings, base_option, json_option, open_database
from indexer.health.acknowledgement import acknowledge, all_lines, is_new, load, new_lines
from indexer.terminal.format import count, many, plain
from indexer.terminal.json_output import print_json
from indexer.terminal.table import Column, print_table

EXAMPLES = """\b
Examples:
  telemetry quarantine                  the lines that nobody has looked at
  telemetry quarantine --acknowledge    ... and from now on somebody has
  telemetry quarantine --all --json | jq -r '.[].reason' | sort | uniq -c
"""


@click.command("quarantine", epilog=EXAMPLES)
@click.option("--all", "everything", is_flag=True, help="Those looked at before as well.")
@click.option(
    "--acknowledge",
    "acknowledging",
    is_flag=True,
    help="Remember that all there are now were looked at.",
)
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
    settings: Settings, *, everything: bool, acknowledging: bool, limit: int, as_json: bool
) -> int:
    """List the lines of the log that can't be read as events, the latest first.

    They cost no other line, and stay in the log. `telemetry status` exits 3 until they are
    acknowledged; lines that come later count anew.
    """
    base = settings.base()
    with open_database(base) as connection:
        seen = load(base)
        new = sum(1 for _ in new_lines(connection, seen))
        lines = all_lines(connection) if everything else new_lines(connection, seen)
        shown = [
            {**line, "acknowledged": not is_new(seen, line["file"], line["offset"])}
            for line in islice(lines, limit or None)
        ]
        if acknowledging and new:
            acknowledge(base, connection)
    if as_json:
        print_json(shown)
    else:
        _print_lines(shown)
    click.echo(_in_words(new, acknowledging), err=True)
    return 0


def _in_words(new: int, acknowledging: bool) -> str:
    if not new:
        return "no quarantined line that was not acknowledged"
    lines = many(new, "line")
    if acknowledging:
        return f"acknowledged {lines}"
    return f"{lines} to be looked at; `telemetry quarantine --acknowledge` says that they were"


def _print_lines(lines: list[dict[str, Any]]) -> None:
    if not lines:
        return
    columns = [
        Column("FILE"),
        Column("OFFSET", right=True),
        Column("LENGTH", right=True),
        Column("REASON", cut=True),
        Column("BEGINS WITH", cut=True),
    ]
    print_table(columns, [quarantine_cells(line) for line in lines])


def quarantine_cells(line: dict[str, Any]) -> list[str]:
    """Return a quarantined line as the cells of a row."""
    return [
        plain(line["file"]),
        count(line["offset"]),
        count(line["length"]),
        plain(line["reason"]),
        plain(line["excerpt"]),
    ]
