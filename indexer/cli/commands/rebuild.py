"""`telemetry rebuild`: rebuild the database from the log."""

from __future__ import annotations

import click

from indexer.cli.commands.index import summary
from indexer.cli.context import Settings, base_option, is_recorded
from indexer.cli.exit_codes import DEGRADED, OK
from indexer.database.rebuild import rebuild
from indexer.terminal.format import warn
from indexer.terminal.progress import byte_progress, log_size

EXAMPLES = """\b
Examples:
  telemetry rebuild
  telemetry --base /data/telemetry rebuild
"""


@click.command("rebuild", epilog=EXAMPLES)
@click.option(
    "--force",
    is_flag=True,
    help="Rebuild even if events are lost whose segments are gone or can't be read.",
)
@base_option
@click.pass_obj
def command(settings: Settings, *, force: bool) -> int:
    """Rebuild the database from the log.

    Readers see the old rows or the new ones, never anything between; if it is interrupted, the
    old database remains. It refuses to lose events that are in the database but in no readable
    segment. Exits 3 if a segment could not be read.
    """
    base = settings.base()
    if not is_recorded(base):
        return OK
    with byte_progress("rebuilding", lambda: log_size(base)) as on_progress:
        result = rebuild(base, on_progress, force=force)
    click.echo(f"rebuilt: {summary(result)}")
    for problem in result.problems:
        warn(problem)
    return DEGRADED if result.problems else OK
