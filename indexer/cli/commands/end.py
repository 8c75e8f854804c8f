"""`telemetry end`: a run ended by a shell script, or by somebody who found it left behind.

Called by the command line for what the entry point could not read, and for help.
"""

from __future__ import annotations

import click

from indexer.cli.context import Settings, base_option, environment_for
from indexer.cli.shell import runs
from indexer.cli.shell.arguments import Arguments

EXAMPLES = """\b
Examples:
  telemetry end "$RUN" items_succeeded=12
  telemetry end "$RUN" --status failed --note "the host was rebooted"
"""


@click.command("end", epilog=EXAMPLES)
@click.option("--status", metavar="STATUS", help="How it ended; default success.")
@click.option("--note", metavar="TEXT", help="Why: an event, with who says it.")
@base_option
@click.argument("run_id")
@click.argument("fields", nargs=-1, metavar="[NAME=VALUE]...")
@click.pass_obj
def command(
    settings: Settings, *, run_id: str, status: str, note: str, fields: tuple[str, ...]
) -> int:
    """End a run, of this script or one that was left behind.

    RUN_ID is the whole id, or the eight characters that `telemetry runs` shows at a terminal.
    """
    environment_for(settings)
    options = {name: [value] for name, value in (("status", status), ("note", note)) if value}
    return runs.end(Arguments(options, [run_id, *fields]))
