"""`telemetry set`: fields of a run set by a shell script.

Called by the command line for what the entry point could not read, and for help.
"""

from __future__ import annotations

import click

from indexer.cli.context import Settings, base_option, environment_for
from indexer.cli.shell import runs
from indexer.cli.shell.arguments import Arguments

EXAMPLES = """\b
Examples:
  telemetry set "$RUN" items_discovered=120 product=web
"""


@click.command("set", epilog=EXAMPLES)
@base_option
@click.argument("run_id")
@click.argument("fields", nargs=-1, required=True, metavar="NAME=VALUE...")
@click.pass_obj
def command(settings: Settings, *, run_id: str, fields: tuple[str, ...]) -> int:
    """Set fields of a run, while it runs or after.

    Fields that runs do not have are kept as well: numbers among the run's metrics.
    """
    environment_for(settings)
    return runs.set_fields(Arguments({}, [run_id, *fields]))
