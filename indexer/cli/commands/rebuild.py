"""`telemetry rebuild`: rebuild the database from the log.

It works beside a running daemon and never touches the log.
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
@click.option(
    "--force", is_flag=True, help="Drop rows of segments that are gone or cannot be read."
)
@base_option
@click.pass_obj
def command(settings: Settings, force: bool) -> int:
    """Rebuild the database from the log.

    Readers see the old rows or the new ones, never anything between; interrupted at any moment,
    it leaves the old database as it was. Tables that you added are not carried over. It refuses
    to drop events that are in no readable segment, unless forced. Exits 3 if a segment could not
    be read.
    """
    base = settings.base()
    if not is_recorded(base):
        return 0
    with byte_progress("rebuilding", lambda: log_size(base)) as on_progress:
        result = rebuild(base, on_progress, force=force)
    click.echo(f"rebuilt: {summary(result)}")
    for problem in result.problems:
        warn(problem)
    return 3 if result.problems else 0
