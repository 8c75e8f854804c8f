"""`telemetry restore`: restore a backup, after asking."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from indexer.cli.context import Settings, base_option, json_option
from indexer.cli.exit_codes import DEGRADED, OK
from indexer.retention.restore import Contents, Restored, inspect, restore
from indexer.terminal.confirmation import confirm
from indexer.terminal.format import count, many, plain, warn
from indexer.terminal.json_output import print_json

EXAMPLES = """\b
Examples:
  telemetry restore ~/.telemetry/backups/telemetry-20261122T181530.123456Z.tar
  telemetry --base /tmp/elsewhere restore backup.tar --yes
"""


@click.command("restore", epilog=EXAMPLES)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
@base_option
@click.pass_obj
def command(settings: Settings, file: Path, yes: bool, as_json: bool) -> int:
    """Restore a backup; stop the daemon first.

    The current database is kept in backups/. No segment is overwritten: missing ones are restored,
    and one that differs is restored under another name. Then events that the log has beyond the
    backup are indexed. Exits 3 if a segment could not be read.
    """
    base = settings.base()
    contents = inspect(base, file)
    if not as_json:
        click.echo(_in_words(contents))
    confirm(f"Restore into {plain(base.directory)}?", yes)
    restored = restore(base, file)
    if as_json:
        print_json(restored._asdict())
    else:
        _say(restored)
    warn(plain(restored.warning))
    return DEGRADED if restored.warning else OK


def _in_words(contents: Contents) -> str:
    files = contents.log_files
    log = "no log" if files is None else many(len(files), "segment")
    return f"{many(contents.runs, 'run')}, {many(contents.events, 'event')}, {log}"


def _say(restored: Restored) -> None:
    if restored.view:
        click.echo("the database was restored")
    else:
        click.echo("the backup has another version: the database was rebuilt from the log")
    if restored.kept_view:
        click.echo(f"the previous database is {plain(restored.kept_view)}")
    for what, number in Counter(restored.log_files.values()).items():
        click.echo(f"segments {what}: {count(number)}")
