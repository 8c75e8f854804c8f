"""`telemetry rebuild`: the database made anew from the log.

Called by the command line. It works beside a running daemon and never touches the log.
"""

from __future__ import annotations

import click

from indexer.cli.commands.index import summary
from indexer.cli.context import Settings, base_option, is_recorded
from indexer.database.rebuild import rebuild
from indexer.terminal.format import warn
from indexer.terminal.progress import byte_progress, log_size

EXAMPLES = """\b
Examples:
  telemetry rebuild
  telemetry --base /data/telemetry rebuild
"""


@click.command("rebuild", epilog=EXAMPLES)
@base_option
@click.pass_obj
def command(settings: Settings) -> int:
    """Make the database anew from the log.

    Readers see the old rows or the new ones, never anything between; stopped at any moment,
    the old database stands. Exits 3 if a file of the log could not be read.
    """
    base = settings.base()
    if not is_recorded(base):
        return 0
    with byte_progress("rebuilding", log_size(base)) as on_progress:
        result = rebuild(base, on_progress)
    click.echo(f"rebuilt: {summary(result)}")
    for problem in result.problems:
        warn(problem)
    return 3 if result.problems else 0
