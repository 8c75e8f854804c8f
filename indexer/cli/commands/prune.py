"""`telemetry prune`: delete old days from the log and the database, after asking."""

from __future__ import annotations

from datetime import timedelta

import click

from indexer.cli.context import Settings, base_option, is_recorded, json_option, refresh
from indexer.cli.exit_codes import DEGRADED, OK
from indexer.retention.prune import PrunePlan, plan_prune, prune
from indexer.terminal.confirmation import confirm
from indexer.terminal.format import count, many, plain, size, warn
from indexer.terminal.json_output import print_json
from indexer.terminal.time_options import age_option

EXAMPLES = """\b
Examples:
  telemetry prune --older-than 365d --dry-run
  telemetry prune --older-than 365d
  telemetry prune --older-than 2w --yes --json
"""

_NOTHING = PrunePlan([], 0, 0, 0, 0, [], {})
_SHOWN = 10


@click.command("prune", epilog=EXAMPLES)
@age_option
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and delete nothing.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
@base_option
@click.pass_obj
def command(settings: Settings, *, age: timedelta, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Delete old days: their segments, and their events and runs from the database.

    Shows what will be deleted and asks first. Only a backup that includes the log can undo it:
    `telemetry backup --with-log`. Exits 3 if a segment could not be deleted.
    """
    base = settings.base()
    plan = _NOTHING
    if is_recorded(base):
        warn(refresh(base))
        plan = plan_prune(base, age)
    left = dict(plan.skipped)
    if not as_json:
        _say(plan)
    if plan.files and not dry_run:
        confirm(f"Permanently delete {many(len(plan.files), 'segment')}?", yes)
        left.update(prune(base, plan.files))
    if as_json:
        print_json({"dry_run": dry_run, **plan._asdict(), "left": left})
    elif plan.files and not dry_run:
        click.echo(f"pruned: {many(len(set(plan.files) - left.keys()), 'segment')} deleted")
    for reason in left.values():
        warn(plain(reason))
    return DEGRADED if left else OK


def _say(plan: PrunePlan) -> None:
    if not plan.files:
        click.echo("nothing to prune")
        return
    for name in plan.files[:_SHOWN]:
        click.echo(f"  {plain(name)}")
    if len(plan.files) > _SHOWN:
        click.echo(f"  ... and {count(len(plan.files) - _SHOWN)} more")
    click.echo(
        f"{many(len(plan.files), 'segment')}, {size(plan.bytes)}, {many(plan.events, 'event')}"
    )
    click.echo(f"runs deleted: {count(plan.runs_vanishing)}")
    click.echo(f"runs that lose some events: {count(plan.runs_losing_events)}")
    if plan.runs_running:
        click.echo(f"of these, still running: {count(len(plan.runs_running))}")
        for run_id in plan.runs_running[:_SHOWN]:
            click.echo(f"  {plain(run_id)}")
