"""`telemetry report`: write a report on a period as HTML and Markdown."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Optional
from urllib.parse import urlsplit

import click

from indexer.cli.context import Settings, base_option, fleet_options, json_option
from indexer.cli.exit_codes import OK
from indexer.cli.reading import open_for, source_in_words
from indexer.cli.run_options import (
    explain_unknown,
    nested_option,
    root_runs,
    run_filter_options,
    with_parent_found,
)
from indexer.report.figures import gather
from indexer.report.model import Figures
from indexer.report.period import Period
from indexer.report.render import html, markdown
from indexer.report.text import Origin
from indexer.store.run_queries import RunFilter
from indexer.system.base import Base
from indexer.terminal.destination import STDOUT, destination, output_option
from indexer.terminal.format import plain
from indexer.terminal.json_output import print_json
from indexer.terminal.time_options import MOMENT_HELP, check_order
from telemetry_core import __version__
from telemetry_core.timestamp import format_time

EXAMPLES = f"""\b
Examples:
  telemetry report                          today and the six days before
  telemetry report --since 24h --format html
  telemetry report --agent crawler --nested
  telemetry report --since 2026-11-01 --until 2026-12-01 --output november.html
  telemetry report --format markdown --output -
  telemetry report --link http://127.0.0.1:8765

{MOMENT_HELP}
"""

_WRITERS = {".html": html, ".md": markdown}
_SUFFIXES = {"html": [".html"], "markdown": [".md"], "both": [".html", ".md"]}


def _checked_link(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """Return an address without what does not belong to it; the page's token least of all."""
    if not value:
        return ""
    address = urlsplit(value)
    if address.scheme not in ("http", "https") or not address.netloc:
        raise click.BadParameter("give an address such as http://127.0.0.1:8765")
    if address.query or address.fragment or "@" in address.netloc:
        raise click.BadParameter(
            "give it without token, user and password: everybody with the report could read them"
        )
    return value.rstrip("/")


@click.command("report", epilog=EXAMPLES)
@run_filter_options()
@nested_option
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_SUFFIXES)),
    help="Default: both, or with --output the format of its suffix.",
)
@click.option(
    "--link",
    metavar="URL",
    default="",
    callback=_checked_link,
    help="Address of the live page, such as http://127.0.0.1:8765: run ids then lead to it.",
)
@output_option
@json_option
@fleet_options
@base_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    chosen: RunFilter,
    nested: bool,
    form: Optional[str],
    link: str,
    output: Optional[Path],
    as_json: bool,
) -> int:
    """Write a report on a period: what ran, how it ended, how long it took, what failed.

    The period is today and the six days before, unless --since or --until says otherwise. The
    page is one file without scripts that loads nothing. It goes to reports/ in the base
    directory, or to --output; stderr says where it is. Root runs are counted; --nested counts
    the runs inside them as well.
    """
    suffixes = _suffixes(form, output)
    base = settings.base()
    now = datetime.now(timezone.utc)
    period = Period(chosen.since or _default_start(now), chosen.until or format_time(now))
    check_order(*period)
    of_period = replace(chosen, since=period.since, until=period.until)
    with open_for(
        settings, lambda fleet: fleet.period(of_period, period.before().since)
    ) as connection:
        chosen = root_runs(with_parent_found(connection, chosen), nested)
        figures = gather(connection, period, chosen)
        if not figures.totals.runs:
            explain_unknown(connection, chosen)
    if as_json:
        print_json({**asdict(figures), "period": figures.period._asdict()})
        return OK
    made_at = format_time(datetime.now(timezone.utc))
    source = source_in_words(settings)
    origin = Origin(source, socket.gethostname(), __version__, made_at, link)
    for suffix in suffixes:
        _write(figures, base, origin, _named(output, suffix, suffixes), suffix)
    return OK


def _default_start(now: datetime) -> str:
    """Return the start of the local day six days ago, so that the first day is whole."""
    first = now.astimezone().date() - timedelta(days=6)
    return format_time(datetime.combine(first, datetime.min.time()).astimezone())


def _suffixes(form: Optional[str], output: Optional[Path]) -> list[str]:
    if form is None:
        if output is None or os.path.isdir(output):
            return _SUFFIXES["both"]
        suffix = output.suffix.lower()
        if suffix not in ("", ".html", ".htm", ".md", ".markdown") and output != STDOUT:
            raise click.UsageError(
                f"no format has the suffix {output.suffix}: use .html or .md, or --format"
            )
        return [".md"] if suffix in (".md", ".markdown") else [".html"]
    if form == "both" and output == STDOUT:
        raise click.UsageError("stdout takes one format: add --format html or --format markdown")
    return _SUFFIXES[form]


def _named(output: Optional[Path], suffix: str, suffixes: list[str]) -> Optional[Path]:
    """Return where one of the files goes; two files of one name differ in the suffix."""
    if output is None or len(suffixes) == 1 or os.path.isdir(output):
        return output
    return output.with_suffix(suffix)


def _write(
    figures: Figures, base: Base, origin: Origin, output: Optional[Path], suffix: str
) -> None:
    text = _WRITERS[suffix](figures, origin)
    home = base.directory / "reports"
    with destination(output, home, "report", suffix) as (file, path):
        file.write(text.encode())
    if path is not None:
        click.echo(f"report in {plain(path)}", err=True)
