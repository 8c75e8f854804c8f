"""`telemetry verify`: compare the database with the log.

It repairs nothing: `telemetry rebuild` does.
"""

from __future__ import annotations

import click

from indexer.cli.context import Settings, base_option, is_recorded, json_option
from indexer.cli.exit_codes import DEGRADED, FAILED, OK
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
    """Read the whole log again and compare it with the database.

    It trusts no cursor: every line is looked up, and every run folded again. Agents and the
    daemon can keep running. Exits 1 if they differ, and exits 3 if the database is only behind.
    """
    base = settings.base()
    report = _EMPTY
    if is_recorded(base):
        with byte_progress("verifying", lambda: log_size(base)) as on_progress:
            report = verify(base, on_progress)
    if as_json:
        print_json({"ok": report.is_ok, **report._asdict()})
    else:
        _print_report(report)
    if not report.is_ok:
        return FAILED
    return DEGRADED if report.behind_bytes else OK


def _print_report(report: Verification) -> None:
    for difference in report.differences:
        click.echo(plain(difference))
    click.echo(verification_summary(report))
    if report.behind_bytes:
        click.echo(
            f"the database is {size(report.behind_bytes)} behind the log: the daemon is stopped or"
            " has not caught up; see `telemetry status`"
        )
    elif report.pending_bytes:
        click.echo(f"{size(report.pending_bytes)} came meanwhile or wait for the end of their line")
    if not report.is_ok:
        click.echo("`telemetry rebuild` rebuilds the database from the log", err=True)
