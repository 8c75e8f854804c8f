"""`telemetry scan`: where in the log secrets are.

Called by the command line. The work is in indexer/retention/scan.py.
"""

from __future__ import annotations

from collections import Counter

import click

from indexer.cli.context import Settings, base_option, is_recorded, json_option
from indexer.cli.exit_codes import DEGRADED, OK
from indexer.retention.scan import Place, Scan, redactor_for_scan, scan
from indexer.terminal.format import count, many, plain, warn
from indexer.terminal.json_output import print_json
from indexer.terminal.progress import byte_progress, log_size

EXAMPLES = """\b
Examples:
  telemetry scan
  telemetry scan --json | jq '.places[].event_id'
"""

_SHOWN = 20


@click.command("scan", epilog=EXAMPLES)
@json_option
@base_option
@click.pass_obj
def command(settings: Settings, *, as_json: bool) -> int:
    """Look for secrets in the log, and say where they are, never what they are.

    It knows the shapes and names of docs/redaction.md, and those that are configured. Exits 3 if
    it finds any, or if a segment can't be read. `telemetry redact` replaces them.
    """
    base = settings.base()
    result = Scan([], 0, [])
    if is_recorded(base):
        with byte_progress("scanning", lambda: log_size(base)) as on_progress:
            result = scan(base, redactor_for_scan(settings.environment()), on_progress)
    if as_json:
        print_json(
            {
                "lines": result.lines,
                "places": [one._asdict() for one in result.places],
                "problems": result.problems,
            }
        )
    else:
        _say(result)
    for problem in result.problems:
        warn(plain(problem))
    return DEGRADED if result.places or result.problems else OK


def _say(result: Scan) -> None:
    for place in result.places[:_SHOWN]:
        click.echo(_words(place))
    if len(result.places) > _SHOWN:
        click.echo(f"... and {count(len(result.places) - _SHOWN)} more; --json has all")
    kinds: Counter[str] = Counter()
    for place in result.places:
        kinds.update(place.kinds)
    found = ", ".join(f"{count(number)} {kind}" for kind, number in sorted(kinds.items()))
    click.echo(f"{many(result.lines, 'line')} scanned: {found or 'no secrets'}")


def _words(place: Place) -> str:
    kinds = ", ".join(sorted(place.kinds))
    run = plain(place.run_id) if place.run_id else "no event"
    return f"{plain(place.segment)} at {count(place.offset)}: {kinds} ({run})"
