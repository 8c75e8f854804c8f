"""`telemetry log`: an event recorded by a shell script.

Called by the command line for what the entry point could not read, and for help.
"""

from __future__ import annotations

from typing import Optional

import click

from indexer.cli.context import Settings, base_option, environment_for
from indexer.cli.shell import runs
from indexer.cli.shell.arguments import Arguments

EXAMPLES = """\b
Examples:
  telemetry log "$RUN" copied '{"files": 12}'
  telemetry log "$RUN" note "half way"
  ./list-files --ndjson | telemetry log "$RUN" file -
"""


@click.command("log", epilog=EXAMPLES)
@base_option
@click.argument("run_id")
@click.argument("event_type", metavar="TYPE")
@click.argument("payload", required=False, metavar="[JSON|-]")
@click.pass_obj
def command(settings: Settings, *, run_id: str, event_type: str, payload: Optional[str]) -> int:
    """Record an event of type TYPE of a run.

    JSON is the event's payload; anything that is not JSON is text. With `-` it is read from
    stdin: one value, or one on each line, which is an event each.
    """
    environment_for(settings)
    words = [run_id, event_type, *([] if payload is None else [payload])]
    return runs.log(Arguments({}, words))
