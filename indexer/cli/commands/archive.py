"""`telemetry archive`: compress segments of past days."""

from __future__ import annotations

from datetime import timedelta

import click

from indexer.cli.context import Settings, base_option, is_recorded, json_option
from indexer.cli.exit_codes import DEGRADED, OK
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
@click.option("--dry-run", is_flag=True, help="Show what would be compressed, and change nothing.")
@click.option("--zstd", "compression", flag_value=ZSTD, help="Use zstd; needs zstandard.")
@click.option(
    "--gzip",
    "compression",
    flag_value=GZIP,
    help="Use gzip. Default: zstd if the library is installed, else gzip.",
)
@json_option
@base_option
@click.pass_obj
def command(
    settings: Settings, *, age: timedelta, dry_run: bool, compression: str, as_json: bool
) -> int:
    """Compress segments of past days.

    Agents and the daemon keep running; an event that arrives late for such a day is not lost. The
    database stays as it is. Exits 3 if a segment could not be compressed.
    """
    base = settings.base()
    result = ArchiveResult([], {})
    if is_recorded(base):
        result = _dry(base, age) if dry_run else _archive(base, age, compression)
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
    return DEGRADED if result.skipped else OK


def _dry(base: Base, age: timedelta) -> ArchiveResult:
    files = files_to_archive(base, age)
    return ArchiveResult([Archived(file.name, file.size) for file in files], {})


def _archive(base: Base, age: timedelta, compression: str) -> ArchiveResult:
    total = sum(file.size for file in files_to_archive(base, age))
    with byte_progress("archiving", lambda: total) as on_progress:
        return archive(base, age, compression, on_chunk=on_progress)


def _say(result: ArchiveResult, dry_run: bool) -> None:
    for one in result.archived:
        after = (
            "" if one.bytes_after is None else f" -> {plain(one.archive)} {size(one.bytes_after)}"
        )
        click.echo(f"{plain(one.file)} {size(one.bytes_before)}{after}")
    before = sum(one.bytes_before for one in result.archived)
    what = "would be compressed" if dry_run else "compressed"
    click.echo(f"{many(len(result.archived), 'segment')}, {size(before)} {what}")
