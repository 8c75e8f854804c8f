"""`telemetry backup`: back up the database, with or without the log."""

from __future__ import annotations

from typing import Optional

import click

from indexer.cli.context import Settings, base_option, is_recorded, json_option, refresh
from indexer.cli.exit_codes import DEGRADED, OK
from indexer.retention.backup import backup
from indexer.terminal.format import many, plain, size, warn
from indexer.terminal.json_output import print_json
from indexer.terminal.progress import byte_progress, log_size

EXAMPLES = """\b
Examples:
  telemetry backup
  telemetry backup --keep 7
  telemetry backup --with-log --keep 4 --json
"""


@click.command("backup", epilog=EXAMPLES)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="Keep the N newest backups of this kind, and delete the others.",
)
@click.option("--with-log", is_flag=True, help="Include the log: database and log in one tar file.")
@json_option
@base_option
@click.pass_obj
def command(settings: Settings, *, keep: Optional[int], with_log: bool, as_json: bool) -> int:
    """Copy the database to backups/ and check the copy, while agents and daemon keep running.

    The database can be rebuilt from the log at any time; what needs a backup is the log, with
    --with-log. `telemetry restore` restores either. Exits 3 if a segment could not be read.
    """
    base = settings.base()
    if not is_recorded(base):
        if as_json:
            print_json({"path": None, "bytes": 0, "removed": [], "missed": {}})
        return OK
    warn(refresh(base))
    with byte_progress("copying", lambda: log_size(base) if with_log else 0) as on_progress:
        done = backup(base, keep, with_log, on_progress)
    if as_json:
        print_json({**done._asdict(), "path": str(done.path)})
    else:
        click.echo(f"{plain(done.path)}  {size(done.bytes)}")
        if done.removed:
            click.echo(f"{many(len(done.removed), 'earlier backup')} deleted", err=True)
    for name, reason in done.missed.items():
        warn(plain(f"{name} is not in the backup: {reason}"))
    return DEGRADED if done.missed else OK
