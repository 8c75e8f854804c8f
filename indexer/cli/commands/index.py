"""`telemetry index`: index new events once, or keep running as the daemon."""

from __future__ import annotations

from functools import partial
from typing import Optional

import click

from indexer.cli.context import Settings, base_option, is_recorded
from indexer.cli.exit_codes import DEGRADED, OK
from indexer.database.freshness import index_once
from indexer.ingest.ingest import PassResult
from indexer.system.base import Base
from indexer.terminal.format import count, size, warn
from indexer.terminal.progress import byte_progress, unread_size

EXAMPLES = """\b
Examples:
  telemetry index             one pass, then exit
  telemetry index --watch     the daemon: until SIGTERM or Ctrl-C
  telemetry index --watch --receive     and OpenTelemetry records at port 4318
"""


@click.command("index", epilog=EXAMPLES)
@click.option("--watch", is_flag=True, help="Run as the daemon: index events as they arrive.")
@click.option("--receive", is_flag=True, help="With --watch: also receive OpenTelemetry records.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to receive.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=4318,
    show_default=True,
    help="The port to receive at.",
)
@base_option
@click.pass_obj
def command(settings: Settings, *, watch: bool, receive: bool, host: str, port: int) -> int:
    """Index new events in the log.

    Only one process indexes at a time: if a daemon runs already, this says so and exits 1. Exits
    3 if a segment could not be read.
    """
    base = settings.base()
    if receive and not watch:
        raise click.UsageError("--receive needs --watch; `telemetry receive` only receives")
    if watch:
        return keep_watch(settings, base, (host, port) if receive else None)
    if not is_recorded(base):
        return OK
    with byte_progress("indexing", lambda: unread_size(base)) as on_progress:
        result = index_once(base, on_progress)
    click.echo(summary(result))
    for problem in result.problems:
        warn(problem)
    return DEGRADED if result.problems else OK


def summary(result: PassResult) -> str:
    """Return in one line what a pass did."""
    lines = ", ".join(
        f"{count(result.lines.get(outcome, 0))} {outcome}"
        for outcome in ("indexed", "duplicate", "quarantined")
    )
    return f"{lines} ({size(result.read_bytes)} read)"


def keep_watch(settings: Settings, base: Base, receive: Optional[tuple[str, int]] = None) -> int:
    """Run the daemon until asked to stop, and receive at an address."""
    # Imported here: watchdog is large, and one pass needs none of it.
    from indexer.daemon.loop import Daemon
    from indexer.daemon.ways_in import Address
    from indexer.health.health import problems_of

    settings.log_to_stderr()
    try:
        address = None if receive is None else Address(*receive)
        Daemon(base, address, partial(problems_of, base)).run()
    except (ImportError, ValueError) as error:
        if receive is None:
            raise
        raise click.ClickException(
            f"{error}: `--receive` needs `pip install 'local-telemetry[receive]'` (Python 3.10+)"
            if isinstance(error, ImportError)
            else str(error)
        ) from None
    return OK
