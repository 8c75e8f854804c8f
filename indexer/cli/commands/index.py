"""`telemetry index`: one pass over the log, or the daemon.

Called by the command line. What it says about its work goes to stderr, but for the one line
that sums up a pass.
"""

from __future__ import annotations

import click

from indexer.cli.context import Settings, base_option, is_recorded
from indexer.database.freshness import index_once
from indexer.ingest.ingest import PassResult
from indexer.system.base import Base
from indexer.terminal.format import count, size, warn
from indexer.terminal.progress import byte_progress, unread_size

EXAMPLES = """\b
Examples:
  telemetry index             one pass, then exit
  telemetry index --watch     the daemon: until SIGTERM or Ctrl-C
"""


@click.command("index", epilog=EXAMPLES)
@click.option("--watch", is_flag=True, help="Stay, and index what arrives as it arrives.")
@base_option
@click.pass_obj
def command(settings: Settings, watch: bool) -> int:
    """Index what is new in the log.

    One process at a time: if a daemon is at work already, this says so and exits 1. Exits 3
    if a file of the log could not be read.
    """
    base = settings.base()
    if watch:
        return keep_watch(settings, base)
    if not is_recorded(base):
        return 0
    with byte_progress("indexing", unread_size(base)) as on_progress:
        result = index_once(base, on_progress)
    click.echo(summary(result))
    for problem in result.problems:
        warn(problem)
    return 3 if result.problems else 0


def summary(result: PassResult) -> str:
    """Return in one line what a pass came to."""
    lines = ", ".join(
        f"{count(result.lines.get(outcome, 0))} {outcome}"
        for outcome in ("indexed", "duplicate", "quarantined")
    )
    return f"{lines} ({size(result.read_bytes)} read)"


def keep_watch(settings: Settings, base: Base) -> int:
    """Be the daemon until told to stop."""
    # Imported here: watchdog is large, and one pass needs none of it.
    from indexer.daemon.loop import Daemon

    settings.log_to_stderr()
    Daemon(base).run()
    return 0
