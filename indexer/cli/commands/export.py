"""`telemetry export`: export runs, events, spans or metrics for other programs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

import click

from indexer.cli.context import Settings, base_option, open_database
from indexer.cli.exit_codes import OK
from indexer.cli.run_options import explain_no_match, nearest, run_filter_options, with_parent_found
from indexer.export.formats import FORMATS, find_format, format_of, write_rows
from indexer.export.rows import SUBJECTS, Rows
from indexer.store.run_queries import RunFilter
from indexer.terminal.console import at_terminal
from indexer.terminal.destination import STDOUT, destination, output_option
from indexer.terminal.format import count, plain, warn
from indexer.terminal.progress import row_progress
from indexer.terminal.time_options import MOMENT_HELP

EXAMPLES = f"""\b
Examples:
  telemetry export runs                          a dated CSV file in exports/
  telemetry export runs --since 7d --status failed --format json
  telemetry export events --agent crawler --format ndjson --output - | jq .payload_json
  telemetry export spans --since 7d --output spans.parquet    format by suffix
  telemetry export metrics --agent trainer --format csv

\b
CSV: an empty cell is NULL, "" is an empty text. A cell that a spreadsheet would
run as a formula gets an apostrophe in front. JSON columns are text in CSV and
Parquet, nested values in JSON and NDJSON. Parquet needs pyarrow.

{MOMENT_HELP}
"""


@click.command("export", epilog=EXAMPLES)
@click.argument("subject", type=click.Choice(SUBJECTS), metavar="|".join(SUBJECTS))
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="File format; default: that of the suffix of --output, else csv.",
)
@run_filter_options()
@output_option
@base_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    subject: str,
    form: Optional[str],
    chosen: RunFilter,
    output: Optional[Path],
) -> int:
    """Write runs, events, spans or metrics to a file for other programs.

    The file goes into exports/ in the base directory, or to --output. It gets its name only when
    it is complete; stderr says where it is. Runs are ordered by start, events by run and time.
    The options that choose runs choose the events, spans or metrics of those runs; --since and
    --until are then about the events, spans or metrics.
    """
    form = form or _format_of(output)
    writer = find_format(form)
    if output == STDOUT and at_terminal() and not writer.is_text:
        raise click.UsageError(f"{form} is not for a terminal: write it to a file or a pipe")
    base = settings.base()
    home = base.directory / "exports"
    with (
        open_database(base) as connection,
        destination(output, home, subject, f".{form}") as (
            file,
            path,
        ),
    ):
        chosen = with_parent_found(connection, chosen)
        rows = Rows(connection, subject, chosen)
        with row_progress(f"exporting {subject}", rows.count) as on_progress:
            number, problem = write_rows(writer, file, rows, on_progress)
        if not number:
            explain_no_match(connection, chosen)
    warn(problem)
    if path is not None:
        click.echo(f"{count(number)} {subject} in {plain(path)}", err=True)
    return OK


def _format_of(output: Optional[Path]) -> str:
    if output is None or os.path.isdir(output):
        return "csv"
    form = format_of(output)
    if form is None:
        close = nearest(output.suffix.lstrip("."), list(FORMATS))
        hint = f"; did you mean .{close}?" if close else ""
        raise click.UsageError(
            f"no format has the suffix {output.suffix}: use one of"
            f" {', '.join(f'.{name}' for name in FORMATS)}, or --format{hint}"
        )
    return form
