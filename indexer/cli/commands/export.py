"""`telemetry export`: runs or events as a file for other programs.

Called by the command line. The rows and the formats are in indexer/export/.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from indexer.cli.context import Settings, base_option, open_database
from indexer.export.formats import FORMATS, find_format, format_of, write_rows
from indexer.export.rows import SUBJECTS, Chosen, Rows
from indexer.terminal.console import at_terminal
from indexer.terminal.destination import STDOUT, destination, output_option
from indexer.terminal.format import count, plain, warn
from indexer.terminal.progress import row_progress
from indexer.terminal.time_options import MOMENT_HELP, check_order, moment
from telemetry_core.status import normalise_status

EXAMPLES = f"""\b
Examples:
  telemetry export runs                          a dated CSV file in exports/
  telemetry export runs --since 7d --status failed --format json
  telemetry export events --agent crawler --format ndjson --output - | jq .payload_json
  telemetry export runs --output runs.parquet    the suffix says the format

\b
CSV: an empty cell is NULL, "" an empty text. Where a spreadsheet would run a
cell as a formula, an apostrophe stands before it. JSON columns are text in CSV
and Parquet, nested values in JSON and NDJSON. Parquet needs pyarrow.

{MOMENT_HELP}
"""


@click.command("export", epilog=EXAMPLES)
@click.argument("subject", type=click.Choice(SUBJECTS), metavar="|".join(SUBJECTS))
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Default: what the suffix of --output says, else csv.",
)
@click.option("--since", metavar="WHEN", callback=moment, help="Only what began since then.")
@click.option("--until", metavar="WHEN", callback=moment, help="Only what began before then.")
@click.option("--agent", help="Only this agent's.")
@click.option("--status", help="Only runs of this status, or their events.")
@output_option
@base_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    subject: str,
    form: Optional[str],
    since: Optional[str],
    until: Optional[str],
    agent: Optional[str],
    status: Optional[str],
    output: Optional[Path],
) -> int:
    """Write runs or events to a file for other programs.

    The file goes into exports/ under the base directory, or to --output. It is written under a
    temporary name and gets its own when it is whole; stderr says where it is. Runs are in the
    order they started in, events by run and then by time.
    """
    check_order(since, until)
    form = form or format_of(output or Path())
    writer = find_format(form)
    if output == STDOUT and at_terminal() and not writer.is_text:
        raise click.UsageError(f"{form} is not for a terminal: send it to a file or a pipe")
    base = settings.base()
    chosen = Chosen(since, until, agent, None if status is None else normalise_status(status))
    home = base.directory / "exports"
    with (
        open_database(base) as connection,
        destination(output, home, subject, f".{form}") as (
            file,
            path,
        ),
    ):
        rows = Rows(connection, subject, chosen)
        with row_progress(f"exporting {subject}", rows.count) as on_progress:
            number, problem = write_rows(writer, file, rows, on_progress)
    warn(problem)
    if path is not None:
        click.echo(f"{count(number)} {subject} in {plain(path)}", err=True)
    return 0
