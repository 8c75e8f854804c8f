"""`telemetry init`: create the base directory and everything in it.

Nobody has to run it: everything is created on first use as well.
"""

from __future__ import annotations

import click

from indexer.cli.context import Settings, base_option, json_option
from indexer.cli.exit_codes import OK
from indexer.database.init import PRESENT, InitStep, init_base
from indexer.terminal.format import plain
from indexer.terminal.json_output import print_json
from indexer.terminal.table import Column, print_table

EXAMPLES = """\b
Examples:
  telemetry init
  telemetry --base /data/telemetry init
  telemetry init --json | jq '.places[] | select(.outcome == "made")'
"""


@click.command("init", epilog=EXAMPLES)
@json_option
@base_option
@click.pass_obj
def command(settings: Settings, as_json: bool) -> int:
    """Create the base directory and everything in it, and say what was created where.

    Directories get mode 0700. Whatever exists is left as it is; only config/schema.sql, which is
    generated, is updated.
    """
    steps = init_base(settings.base())
    if as_json:
        named = [{**place._asdict(), "path": str(place.path)} for place in steps]
        print_json({"base": str(steps[0].path), "places": named})
    else:
        _print_steps(steps)
    return OK


def _print_steps(steps: list[InitStep]) -> None:
    rows = [[place.name, place.outcome, plain(place.path)] for place in steps]
    print_table([Column("WHAT"), Column("OUTCOME"), Column("WHERE")], rows)
    if all(place.outcome == PRESENT for place in steps):
        click.echo("nothing was missing", err=True)
