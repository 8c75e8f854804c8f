"""`telemetry report`: a page on a period, for people.

Called by the command line. Figures, pictures and pages are made in indexer/report/.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timezone
from pathlib import Path
from typing import Optional

import click

from indexer.cli.context import Settings, base_option, json_option, open_database
from indexer.report.figures import Figures, gather
from indexer.report.markdown import markdown
from indexer.report.page import page
from indexer.report.period import Period
from indexer.report.text import Origin
from indexer.system.base import Base
from indexer.terminal.destination import STDOUT, destination, output_option
from indexer.terminal.format import plain
from indexer.terminal.json_output import print_json
from indexer.terminal.time_options import MOMENT_HELP, check_order, moment
from telemetry_core import __version__
from telemetry_core.timestamp import format_time

EXAMPLES = f"""\b
Examples:
  telemetry report                          the last 7 days, into reports/
  telemetry report --since 24h --format html
  telemetry report --since 2026-11-01 --until 2026-12-01 --output november.html
  telemetry report --format markdown --output -

{MOMENT_HELP}
"""

_WRITERS = {".html": page, ".md": markdown}
_SUFFIXES = {"html": [".html"], "markdown": [".md"], "both": [".html", ".md"]}


@click.command("report", epilog=EXAMPLES)
@click.option(
    "--since",
    metavar="WHEN",
    callback=moment,
    default="7d",
    show_default=True,
    help="From then on.",
)
@click.option(
    "--until", metavar="WHEN", callback=moment, default="0s", help="Up to then; default now."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_SUFFIXES)),
    help="Default: both; for one --output what its suffix says.",
)
@output_option
@json_option
@base_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    since: str,
    until: str,
    form: Optional[str],
    output: Optional[Path],
    as_json: bool,
) -> int:
    """Write a page on a period: what ran, how it went, how long it took, what failed.

    The page is one file without scripts that asks for nothing from anywhere. It goes into
    reports/ under the base directory, or to --output; stderr says where it is.
    """
    check_order(since, until)
    suffixes = _suffixes(form, output)
    base = settings.base()
    with open_database(base) as connection:
        figures = gather(connection, Period(since, until))
    if as_json:
        print_json({**vars(figures), "period": figures.period._asdict()})
        return 0
    for suffix in suffixes:
        _write(figures, base, _named(output, suffix, suffixes), suffix)
    return 0


def _suffixes(form: Optional[str], output: Optional[Path]) -> list[str]:
    if form is None:
        if output is None or os.path.isdir(output):
            return _SUFFIXES["both"]
        return [".md"] if output.suffix.lower() in (".md", ".markdown") else [".html"]
    if form == "both" and output == STDOUT:
        raise click.UsageError("stdout takes one of the two: say --format html or markdown")
    return _SUFFIXES[form]


def _named(output: Optional[Path], suffix: str, suffixes: list[str]) -> Optional[Path]:
    """Return where one of the files goes: two files of one name differ in the suffix."""
    if output is None or len(suffixes) == 1 or os.path.isdir(output):
        return output
    return output.with_suffix(suffix)


def _write(figures: Figures, base: Base, output: Optional[Path], suffix: str) -> None:
    made_at = format_time(datetime.now(timezone.utc))
    origin = Origin(str(base.directory), socket.gethostname(), __version__, made_at)
    text = _WRITERS[suffix](figures, origin)
    home = base.directory / "reports"
    with destination(output, home, "report", suffix) as (file, path):
        file.write(text.encode())
    if path is not None:
        click.echo(f"report in {plain(path)}", err=True)
