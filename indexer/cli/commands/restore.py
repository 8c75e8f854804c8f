"""`telemetry restore`: a backup put back.

Called by the command line. The work is in indexer/retention/; this module says what
the backup holds and asks.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from indexer.cli.context import Settings, base_option, json_option
from indexer.retention.restore import Contents, Restored, inspect, restore
from indexer.terminal.confirmation import demand
from indexer.terminal.format import count, many, plain, warn
from indexer.terminal.json_output import print_json

EXAMPLES = """\b
Examples:
  telemetry restore ~/.telemetry/backups/telemetry-20261122T181530.123456Z.tar
  telemetry --base /tmp/elsewhere restore backup.tar --yes
"""


@click.command("restore", epilog=EXAMPLES)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
@base_option
@click.pass_obj
def command(settings: Settings, file: Path, yes: bool, as_json: bool) -> int:
    """Put a backup back, after the daemon was stopped.

    The database that is there is kept in backups/. No log file is overwritten: what is missing
    is put back, and what differs is put beside. Then what the log has beyond it is indexed. Exits 3
    if a file of the log could not be read.
    """
    base = settings.base()
    contents = inspect(base, file)
    if not as_json:
        click.echo(_in_words(contents))
    demand(f"Restore into {plain(base.directory)}?", yes)
    restored = restore(base, file)
    if as_json:
        print_json(restored._asdict())
    else:
        _say(restored)
    warn(plain(restored.warning))
    return 3 if restored.warning else 0


def _in_words(contents: Contents) -> str:
    files = contents.log_files
    log = "no log" if files is None else many(len(files), "log file")
    return f"{many(contents.runs, 'run')}, {many(contents.events, 'event')}, {log}"


def _say(restored: Restored) -> None:
    if restored.view:
        click.echo("the database was restored")
    else:
        click.echo("the database is of another version: it was made from the log")
    if restored.kept_view:
        click.echo(f"the one before is {plain(restored.kept_view)}")
    for what, number in Counter(restored.log_files.values()).items():
        click.echo(f"log files {what}: {count(number)}")
