"""`telemetry start`: a run started by a shell script.

Called by the command line for what the entry point could not read, and for help.
"""

from __future__ import annotations

import click

from indexer.cli.context import Settings, base_option, environment_for
from indexer.cli.shell import runs
from indexer.cli.shell.arguments import Arguments

EXAMPLES = """\b
Examples:
  RUN=$(telemetry start backup nightly target_ref=/srv)
  telemetry end "$RUN" items_succeeded=12
"""


@click.command("start", epilog=EXAMPLES)
@click.option("--trigger", metavar="NAME", help="What set it off; default cli.")
@base_option
@click.argument("agent")
@click.argument("job")
@click.argument("fields", nargs=-1, metavar="[NAME=VALUE]...")
@click.pass_obj
def command(
    settings: Settings, *, agent: str, job: str, trigger: str, fields: tuple[str, ...]
) -> int:
    """Start a run of AGENT doing JOB, and print its id.

    It runs until `telemetry end`; silent for too long, it is stale.
    """
    environment_for(settings)
    options = {"trigger": [trigger]} if trigger else {}
    return runs.start(Arguments(options, [agent, job, *fields]))
