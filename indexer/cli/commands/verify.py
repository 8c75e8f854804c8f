"""`telemetry verify`: the whole log read again and held against the database.

Called by the command line. It repairs nothing: `telemetry rebuild` does.
"""

from __future__ import annotations

import click

from indexer.cli.context import Settings, base_option, is_recorded, json_option
from indexer.database.verify import Verification, verify
from indexer.health.summary import verification_summary
from indexer.terminal.format import plain, size
from indexer.terminal.json_output import print_json
from indexer.terminal.progress import byte_progress, log_size

EXAMPLES = """\b
Examples:
  telemetry verify
  telemetry verify --json | jq .differences
"""

_EMPTY = Verification(lines=0, events=0, runs=0, bytes=0, pending_bytes=0, differences=[])


@click.command("verify", epilog=EXAMPLES)
@json_option
@base_option
@click.pass_obj
def command(settings: Settings, as_json: bool) -> int:
    """Read the whole log again and hold it against the database; exit 1 if they differ.

    It trusts no cursor: every line is looked up and every run folded anew. Agents and the
    daemon may go on meanwhile.
    """
    base = settings.base()
    report = _EMPTY
    if is_recorded(base):
        with byte_progress("verifying", log_size(base)) as on_progress:
            report = verify(base, on_progress)
    if as_json:
        print_json({"ok": report.is_ok, **report._asdict()})
    else:
        _print_report(report)
    return 0 if report.is_ok else 1


def _print_report(report: Verification) -> None:
    for difference in report.differences:
        click.echo(plain(difference))
    click.echo(verification_summary(report))
    if report.pending_bytes:
        click.echo(f"{size(report.pending_bytes)} came meanwhile or wait for the end of their line")
    if not report.is_ok:
        click.echo("`telemetry rebuild` makes the database anew from the log", err=True)
