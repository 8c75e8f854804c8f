"""`telemetry forward`: finished runs sent to the targets that are configured, and how that goes.

Called by the command line. What is sent, when and how is in indexer/forward/.
"""

from __future__ import annotations

from typing import Any, Optional

import click

from indexer.cli.commands.index import keep_watch
from indexer.cli.context import Settings, base_option, is_recorded, json_option, open_database
from indexer.errors import NoSuchTarget
from indexer.forward.circuit_breaker import DOWN, OPEN, PAUSED
from indexer.health.deliveries import OFF, UNKNOWN, overview
from indexer.outbox.receipts import Parked, Receipts, dead_letters, retry_of
from indexer.outbox.targets import load_targets
from indexer.outbox.verdict import DELIVERED
from indexer.system.base import Base
from indexer.terminal.format import ago, count, local_time, many, plain, warn
from indexer.terminal.json_output import print_json
from indexer.terminal.runs_table import short_id
from indexer.terminal.table import Column, print_table
from telemetry_core.event import FORWARD_RETRIED, FORWARD_SUBJECT

EXAMPLES = """\b
Examples:
  telemetry forward                   send what is due now, then exit
  telemetry forward --watch           the daemon, which indexes and forwards
  telemetry forward test api          does it take runs?
  telemetry forward status --json | jq '.targets[] | {name, state, waiting}'
  telemetry forward dead              what was not wanted, and why
  telemetry forward retry             send that again, and try paused targets at once
"""

_DEGRADED = 3
_STYLES = {"open": "green", "down": "red", "paused": "red", "off": "dim", "unknown": "yellow"}


@click.group("forward", epilog=EXAMPLES, invoke_without_command=True)
@click.option("--watch", "watching", is_flag=True, help="Stay, as `telemetry index --watch` does.")
@json_option
@base_option
@click.pass_context
def command(ctx: click.Context, *, watching: bool, as_json: bool) -> Any:
    """Send finished runs to the targets that are configured.

    A daemon forwards by itself; this is for bases without one. Targets come from METRICS_API_URL
    and from config/telemetry.toml of the base. Exits 3 if runs are left that could not be sent.
    """
    settings: Settings = ctx.obj
    if ctx.invoked_subcommand is not None:
        if watching or as_json:
            raise click.UsageError(f"Give options after `{ctx.invoked_subcommand}`.")
        return None
    if watching:
        return keep_watch(settings, settings.base())
    return _forward(settings.base(), as_json)


def _forward(base: Base, as_json: bool) -> int:
    # Imported here: who asks how it goes sends nothing.
    from indexer.forward.one_pass import forward_once

    if is_recorded(base) and load_targets(base).targets:
        forward_once(base)
    return _show(base, as_json, is_rest_bad=True)


@command.command("status", epilog=EXAMPLES)
@json_option
@base_option
@click.pass_obj
def _status(settings: Settings, *, as_json: bool) -> int:
    """Show every target, what waits for it, and what it said last.

    Exits 3 if a target is down or paused, has dead letters, or is not configured rightly.
    """
    return _show(settings.base(), as_json)


def _show(base: Base, as_json: bool, is_rest_bad: bool = False) -> int:
    with open_database(base) as connection:
        found = overview(base, connection)
    if as_json:
        print_json(found)
    else:
        _print_targets(found["targets"])
    # What waits for a target that is unknown here waits for somebody else.
    if all(one["state"] == UNKNOWN for one in found["targets"]):
        click.echo("no target is configured: see docs/forwarding.md", err=True)
    for problem in found["problems"]:
        warn(plain(problem))
    bad = any(
        one["dead"]
        or one["state"] in (DOWN, PAUSED)
        or (is_rest_bad and one["waiting"] and one["state"] == OPEN)
        for one in found["targets"]
    )
    return _DEGRADED if bad or found["problems"] else 0


def _print_targets(targets: list[dict[str, Any]]) -> None:
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


def _cells(one: dict[str, Any]) -> list[str]:
    error = one["last_error"] or ""
    if error:
        error = f"{ago(one['last_error_at'])}: {error}"
    delivered = local_time(one["last_delivered_at"], short=True) if one["state"] != OFF else ""
    return [
        plain(one["name"]),
        plain(one["kind"]),
        one["state"],
        count(one["waiting"]),
        count(one["dead"]),
        delivered,
        plain(error),
    ]


@command.command("test", epilog=EXAMPLES)
@click.argument("name")
@json_option
@base_option
@click.pass_obj
def _test(settings: Settings, *, name: str, as_json: bool) -> int:
    """Send a run that never was to a target; exit 1 if it does not take it.

    It is by the agent telemetry-forward-test, and stands in no log and no database of ours.
    """
    # Imported here: HTTP is large, and nothing else here needs it.
    from indexer.forward.trial import try_target

    loaded = load_targets(settings.base())
    target = loaded.named(name)
    if target is None:
        raise _no_such(name, loaded.problems)
    verdict = try_target(target)
    if as_json:
        print_json({"target": name, "outcome": verdict.outcome, "reason": verdict.reason})
    else:
        click.echo(f"{name}: {verdict.outcome} ({plain(verdict.reason)})")
    return 0 if verdict.outcome == DELIVERED else 1


@command.command("dead", epilog=EXAMPLES)
@click.argument("name", required=False)
@json_option
@base_option
@click.pass_obj
def _dead(settings: Settings, *, name: Optional[str], as_json: bool) -> int:
    """List runs that a target did not want. They wait for `telemetry forward retry`."""
    letters = _letters(settings.base(), name)
    if as_json:
        print_json([letter._asdict() for letter in letters])
        return 0
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
    return 0


def _letter_cells(letter: Parked) -> list[str]:
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
    """Have dead letters sent again, and targets tried at once that are down or paused.

    Of all targets, or of the one that is named. It is written into the log, and done by the
    daemon, or by the next `telemetry forward`.
    """
    base = settings.base()
    letters = _letters(base, name)
    names = [name] if name else sorted({one.name for one in load_targets(base).targets})
    events = [(FORWARD_RETRIED, FORWARD_SUBJECT, {"target": one}) for one in names]
    written = Receipts(base).write([*map(retry_of, letters), *events])
    if as_json:
        print_json({"targets": names, "retried": len(letters), "written": written})
    else:
        click.echo(f"{many(len(letters), 'dead letter')} to be sent again")
    if not written:
        warn("the log can't be written to: try again when it can")
    return 0 if written else 1


def _letters(base: Base, name: Optional[str]) -> list[Parked]:
    loaded = load_targets(base)
    with open_database(base) as connection:
        letters = list(dead_letters(connection))
    known = {target.name for target in loaded.targets} | {letter.target for letter in letters}
    if name is not None and name not in known:
        raise _no_such(name, loaded.problems)
    return [letter for letter in letters if name in (None, letter.target)]


def _no_such(name: str, problems: tuple[str, ...]) -> NoSuchTarget:
    why = "".join(f"; {problem}" for problem in problems if f"target {name}:" in problem)
    return NoSuchTarget(f"no target {name} is configured{why}")
