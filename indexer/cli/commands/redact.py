"""`telemetry redact`: secrets replaced in a log that has them already.

Called by the command line. The work is in indexer/retention/redact.py.
"""

from __future__ import annotations

import click

from indexer.cli.context import Settings, base_option, is_recorded, json_option
from indexer.cli.exit_codes import DEGRADED, OK
from indexer.retention.redact import Redacted, redact
from indexer.retention.scan import redactor_for_scan, scan
from indexer.terminal.confirmation import confirm
from indexer.terminal.format import count, many, plain, warn
from indexer.terminal.json_output import print_json
from indexer.terminal.progress import byte_progress, log_size

EXAMPLES = """\b
Examples:
  telemetry redact --dry-run
  telemetry redact
  telemetry redact --yes --json
"""


@click.command("redact", epilog=EXAMPLES)
@click.option("--dry-run", is_flag=True, help="Say what would be replaced, and do nothing.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
@base_option
@click.pass_obj
def command(settings: Settings, *, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Replace secrets in the log by [redacted:KIND], and rebuild the database.

    The only command that changes what was recorded; it cannot be undone. Agents can keep running.
    Backups, exports and reports that were made before keep what they have. Exits 3 if a segment
    had to be left as it is.
    """
    base = settings.base()
    redactor = redactor_for_scan(settings.environment())
    result = Redacted([], 0, {}, {})
    if is_recorded(base):
        with byte_progress("scanning", lambda: log_size(base)) as on_progress:
            found = scan(base, redactor, on_progress)
        lines = len(found.places)
        if not as_json:
            click.echo(f"{many(lines, 'line')} with secrets")
        if lines and not dry_run:
            confirm(f"Replace the secrets in {many(lines, 'line')} for good?", yes)
            with byte_progress("redacting", lambda: log_size(base)) as on_progress:
                result = redact(base, redactor, on_progress)
    if as_json:
        print_json({"dry_run": dry_run, **result._asdict()})
    elif result.lines:
        kinds = ", ".join(f"{count(number)} {kind}" for kind, number in result.kinds.items())
        click.echo(f"replaced in {many(result.lines, 'line')}: {kinds}")
    for name, reason in result.skipped.items():
        warn(plain(f"{name}: {reason}"))
    return DEGRADED if result.skipped else OK
