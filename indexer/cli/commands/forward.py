"""`telemetry forward`: send finished runs to targets, and show how forwarding is doing."""

from __future__ import annotations

from typing import Any, Optional

import click

from indexer.cli.context import Settings, base_option, json_option, open_database
from indexer.cli.exit_codes import DEGRADED, FAILED, OK
from indexer.errors import NoSuchTarget
from indexer.forward.circuit_breaker import DOWN, OPEN, PAUSED
from indexer.health.deliveries import OFF, UNKNOWN, TargetHealth, read_deliveries
from indexer.outbox.attempt import DELIVERED, AttemptResult
from indexer.outbox.delivery_state import DeadLetter, dead_letters
from indexer.outbox.receipts import Receipts, backfill_of_target, retry_of, retry_of_target
from indexer.outbox.target import CLICKHOUSE, Target
from indexer.outbox.targets import load_targets
from indexer.system.base import Base
from indexer.terminal.format import ago, count, local_time, many, plain, warn
from indexer.terminal.json_output import print_json
from indexer.terminal.runs_table import short_id
from indexer.terminal.table import Column, print_table
from indexer.terminal.time_options import moment

EXAMPLES = """\b
Examples:
  telemetry forward                   send what is due now, then exit
  telemetry forward test api          does it accept runs?
  telemetry forward status --json | jq '.targets[] | {name, state, waiting}'
  telemetry forward dead              what was rejected, and why
  telemetry forward retry             send that again, and try paused targets at once
  telemetry forward backfill api --since 7d    send older runs as well
"""

_NOT_WRITTEN = (
    "the log cannot be written to: free some space or fix its permissions, then try again"
)
_STYLES = {"open": "green", "down": "red", "paused": "red", "off": "dim", "unknown": "yellow"}


@click.group("forward", epilog=EXAMPLES, invoke_without_command=True)
@json_option
@base_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> Any:
    """Send finished runs to the targets that are configured.

    A daemon (`telemetry index --watch`) forwards by itself; this is for use without one. Targets
    come from METRICS_API_URL and from config/telemetry.toml in the base directory. Exits 3 if runs
    are left that could not be sent.
    """
    settings: Settings = ctx.obj
    if ctx.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError(f"Give options after `{ctx.invoked_subcommand}`.")
        return None
    return _forward(settings.base(), as_json)


def _forward(base: Base, as_json: bool) -> int:
    # Imported here: the subcommands that only read do not need it.
    from indexer.forward.one_pass import forward_once

    loaded = load_targets(base)
    # On an empty base too: a target starts when it is first seen.
    if loaded.targets:
        for name in forward_once(base):
            hint = f"`telemetry forward backfill {name}` sends older ones"
            click.echo(f"{name} gets runs that end from now on; {hint}", err=True)
    behind = _ship(base) if loaded.centres else []
    return max(_show(base, as_json, is_rest_bad=True), DEGRADED if behind else OK)


def _ship(base: Base) -> list[str]:
    """Ship to the centres; return the names of those that did not take everything."""
    from indexer.fleet.one_pass import ship_once

    return ship_once(base)


@command.command("status", epilog=EXAMPLES)
@json_option
@base_option
@click.pass_obj
def _status(settings: Settings, *, as_json: bool) -> int:
    """Show every target, what waits for it, and its last error.

    Exits 3 if a target is down or paused, has dead letters, or is not configured correctly.
    """
    return _show(settings.base(), as_json)


def _show(base: Base, as_json: bool, is_rest_bad: bool = False) -> int:
    with open_database(base) as connection:
        found = read_deliveries(base, connection)
    if as_json:
        print_json(found.as_json())
    else:
        _print_targets(found.targets)
    # What waits for a target that is unknown here waits for another process.
    if all(one.state == UNKNOWN for one in found.targets):
        click.echo("no target is configured: see `telemetry docs forwarding`", err=True)
    for problem in found.problems:
        warn(plain(problem))
    bad = any(
        one.dead
        or one.state in (DOWN, PAUSED)
        or (is_rest_bad and one.waiting and one.state == OPEN)
        for one in found.targets
    )
    return DEGRADED if bad or found.problems else OK


def _print_targets(targets: list[TargetHealth]) -> None:
    if not targets:
        return
    columns = [
        Column("TARGET"),
        Column("KIND"),
        Column("STATE", styles=_STYLES),
        Column("WAITING", right=True),
        Column("DEAD", right=True),
        Column("LAST DELIVERED"),
        Column("LAST ERROR", note=True),
    ]
    print_table(columns, [_cells(one) for one in targets])


def _cells(one: TargetHealth) -> list[str]:
    error = one.last_error or ""
    if error:
        error = f"{ago(one.last_error_at)}: {error}"
    delivered = local_time(one.last_delivered_at, short=True) if one.state != OFF else ""
    return [
        plain(one.name),
        plain(one.kind),
        one.state,
        count(one.waiting),
        count(one.dead),
        delivered,
        plain(error),
    ]


@command.command("test", epilog=EXAMPLES)
@click.argument("name")
@json_option
@base_option
@click.pass_obj
def _test(settings: Settings, *, name: str, as_json: bool) -> int:
    """Send a made-up run to a target; exit 1 if the target does not accept it.

    The run is by the agent telemetry-forward-test, and is in neither log nor database. A centre
    (kind clickhouse) is sent nothing: its tables are read and written with no rows.
    """
    loaded = load_targets(settings.base())
    target = loaded.named(name)
    if target is None:
        raise _no_such(name, loaded.problems)
    result = _tried(target)
    if as_json:
        print_json({"target": name, "outcome": result.outcome, "reason": result.reason})
    else:
        click.echo(f"{name}: {result.outcome} ({plain(result.reason)})")
    return OK if result.outcome == DELIVERED else FAILED


def _tried(target: Target) -> AttemptResult:
    # Imported here: HTTP is large, and nothing else here needs it.
    if target.kind == CLICKHOUSE:
        from indexer.fleet.trial import try_centre

        return try_centre(target)
    from indexer.forward.trial import try_target

    return try_target(target)


@command.command("dead", epilog=EXAMPLES)
@click.argument("name", required=False)
@json_option
@base_option
@click.pass_obj
def _dead(settings: Settings, *, name: Optional[str], as_json: bool) -> int:
    """List runs that a target rejected. They wait for `telemetry forward retry`."""
    letters = _letters(settings.base(), name)
    if as_json:
        print_json([letter._asdict() for letter in letters])
        return OK
    columns = [
        Column("TARGET"),
        Column("RUN", style="dim"),
        Column("REVISION", right=True),
        Column("WHEN"),
        Column("REASON", cut=True),
    ]
    if letters:
        print_table(columns, [_letter_cells(letter) for letter in letters])
    click.echo(many(len(letters), "dead letter"), err=True)
    return OK


def _letter_cells(letter: DeadLetter) -> list[str]:
    return [
        plain(letter.target),
        short_id(letter.run_id),
        count(letter.revision),
        local_time(letter.time, short=True),
        plain(letter.reason),
    ]


@command.command("retry", epilog=EXAMPLES)
@click.argument("name", required=False)
@json_option
@base_option
@click.pass_obj
def _retry(settings: Settings, *, name: Optional[str], as_json: bool) -> int:
    """Send dead letters again, and try targets at once that are down or paused.

    Of all targets, or of one. The request is written into the log; the daemon or the next
    `telemetry forward` carries it out.
    """
    base = settings.base()
    letters = _letters(base, name)
    loaded = load_targets(base)
    names = [name] if name else sorted(one.name for one in (*loaded.targets, *loaded.centres))
    written = Receipts(base).write([*map(retry_of, letters), *map(retry_of_target, names)])
    if as_json:
        print_json({"targets": names, "retried": len(letters), "written": written})
    else:
        click.echo(f"{many(len(letters), 'dead letter')} will be sent again")
    if not written:
        warn(_NOT_WRITTEN)
    return OK if written else FAILED


@command.command("backfill", epilog=EXAMPLES)
@click.argument("name")
@click.option(
    "--since", metavar="TIME", callback=moment, help="Only runs that changed since then; else all."
)
@json_option
@base_option
@click.pass_obj
def _backfill(settings: Settings, *, name: str, since: Optional[str], as_json: bool) -> int:
    """Send a target finished runs from before it was configured.

    A new target gets the runs that end or change from then on; this moves its start back. The
    request is written into the log; the daemon or the next `telemetry forward` carries it out.
    What was delivered already is not sent again.
    """
    base = settings.base()
    loaded = load_targets(base)
    target = loaded.named(name)
    if target is None:
        raise _no_such(name, loaded.problems)
    if target.kind == CLICKHOUSE:
        raise click.UsageError(f"{name} gets the whole log: there is nothing to backfill.")
    written = Receipts(base).write([backfill_of_target(name, since or "")])
    if as_json:
        print_json({"target": name, "since": since, "written": written})
    else:
        click.echo(f"{name}: finished runs {f'since {since}' if since else 'of all time'} are due")
    if not written:
        warn(_NOT_WRITTEN)
    return OK if written else FAILED


def _letters(base: Base, name: Optional[str]) -> list[DeadLetter]:
    loaded = load_targets(base)
    with open_database(base) as connection:
        letters = list(dead_letters(connection))
    configured = (*loaded.targets, *loaded.centres)
    known = {target.name for target in configured} | {letter.target for letter in letters}
    if name is not None and name not in known:
        raise _no_such(name, loaded.problems)
    return [letter for letter in letters if name in (None, letter.target)]


def _no_such(name: str, problems: tuple[str, ...]) -> NoSuchTarget:
    why = "".join(f"; {problem}" for problem in problems if f"target {name}:" in problem)
    return NoSuchTarget(f"no target {name} is configured{why}")
