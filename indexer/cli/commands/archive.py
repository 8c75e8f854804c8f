"""`telemetry archive`: log files of past days, compressed.

Called by the command line. The work is in indexer/retention/archive.py.
"""

from __future__ import annotations

from datetime import timedelta

import click

from indexer.cli.context import Settings, base_option, is_recorded, json_option
from indexer.retention.archive import Archived, ArchiveResult, archive, files_to_archive
from indexer.retention.compression import GZIP, ZSTD
from indexer.system.base import Base
from indexer.terminal.format import many, plain, size, warn
from indexer.terminal.json_output import print_json
from indexer.terminal.progress import byte_progress
from indexer.terminal.time_options import age_option

EXAMPLES = """\b
Examples:
  telemetry archive --older-than 30d --dry-run
  telemetry archive --older-than 30d
  telemetry archive --older-than 1d --gzip --json
"""


@click.command("archive", epilog=EXAMPLES)
@age_option
@click.option("--dry-run", is_flag=True, help="Say what would be compressed, and do nothing.")
@click.option("--zstd", "packing", flag_value=ZSTD, help="Use zstd, which needs its library.")
@click.option(
    "--gzip",
    "packing",
    flag_value=GZIP,
    help="Use gzip. By default it is zstd where its library is, else gzip.",
)
@json_option
@base_option
@click.pass_obj
def command(
    settings: Settings, *, age: timedelta, dry_run: bool, packing: str, as_json: bool
) -> int:
    """Compress the log files of past days.

    Agents and the daemon go on meanwhile; an event that comes late for such a day is not lost.
    Rows and runs stay as they are. Exits 3 if a file had to be left as it is.
    """
    base = settings.base()
    result = ArchiveResult([], {})
    if is_recorded(base):
        result = _dry(base, age) if dry_run else _archive(base, age, packing)
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "archived": [one._asdict() for one in result.archived],
                "skipped": result.skipped,
            }
        )
    else:
        _say(result, dry_run)
    for name, reason in result.skipped.items():
        warn(plain(f"{name}: {reason}"))
    return 3 if result.skipped else 0


def _dry(base: Base, age: timedelta) -> ArchiveResult:
    files = files_to_archive(base, age)
    return ArchiveResult([Archived(file.name, file.size) for file in files], {})


def _archive(base: Base, age: timedelta, packing: str) -> ArchiveResult:
    total = sum(file.size for file in files_to_archive(base, age))
    with byte_progress("archiving", lambda: total) as on_progress:
        return archive(base, age, packing, on_chunk=on_progress)


def _say(result: ArchiveResult, dry_run: bool) -> None:
    for one in result.archived:
        after = (
            "" if one.bytes_after is None else f" -> {plain(one.archive)} {size(one.bytes_after)}"
        )
        click.echo(f"{plain(one.file)} {size(one.bytes_before)}{after}")
    before = sum(one.bytes_before for one in result.archived)
    what = "would be compressed" if dry_run else "compressed"
    click.echo(f"{many(len(result.archived), 'file')}, {size(before)} {what}")
