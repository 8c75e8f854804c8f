"""`telemetry alerts`: alert rules and their state, tests, history, silences and suggestions."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, Optional

import click

from indexer.alerts.queueing import PREFIX
from indexer.alerts.settings.load import load_alerts
from indexer.alerts.state import ALL_RULES, AlertState, read_state
from indexer.cli.alert_tables import (
    evaluation_in_words,
    message_row,
    print_messages,
    print_open,
    print_rules,
)
from indexer.cli.context import Settings, base_option, json_option, open_database
from indexer.cli.exit_codes import DEGRADED, FAILED, OK
from indexer.errors import NoSuchTarget
from indexer.health.alert_rules import FIRING, open_alerts, report_rule
from indexer.health.alerts import read_alert_health
from indexer.health.findings import of_fleet
from indexer.health.health import problems_of
from indexer.health.model import WatchHealth
from indexer.outbox.attempt import DELIVERED
from indexer.outbox.receipts import EventParts, Receipts
from indexer.store.alerts.events import alert_events
from indexer.store.status import read_status
from indexer.system.base import Base
from indexer.terminal.format import local_time, many, plain, warn
from indexer.terminal.json_output import print_json
from telemetry_core.duration import parse_duration
from telemetry_core.event import ALERT_SILENCED, ALERT_SUBJECT
from telemetry_core.timestamp import format_time

EXAMPLES = """\b
Examples:
  telemetry alerts                          rules and their state
  telemetry alerts test hook                does the channel work?
  telemetry alerts check                    evaluate and send now, without a daemon
  telemetry alerts silence nightly --for 2h
  telemetry alerts suggest                  schedules from each job's own history

Rules and channels are in config/telemetry.toml: see `telemetry docs alerts`.
"""


@click.group("alerts", epilog=EXAMPLES, invoke_without_command=True)
@json_option
@base_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> Any:
    """Show the alert rules and their state.

    The daemon (`telemetry index --watch`) evaluates them and notifies. Exits 3 if a rule is firing,
    is invalid, or is on a fleet whose centre does not answer.
    """
    if ctx.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError(f"Give options after `{ctx.invoked_subcommand}`.")
        return None
    return _show(ctx.obj.base(), as_json)


def _show(base: Base, as_json: bool) -> int:
    settings, state = load_alerts(base), _state(base)
    now = datetime.now(timezone.utc)
    reports = [report_rule(rule, state, now) for rule in settings.rules]
    is_watched, last_seen = bool(base.daemon()), _daemon_last_seen(base)
    fleets = _fleets(base)
    if as_json:
        alerts = {
            rule.name: [one._asdict() for one in open_alerts(rule, state)]
            for rule in settings.rules
        }
        rows = [{**asdict(one), "alerts": alerts[one.name]} for one in reports]
        evaluation = {"daemon": is_watched, "last_seen": last_seen}
        print_json(
            {
                "rules": rows,
                "problems": list(settings.problems),
                "evaluation": evaluation,
                "fleets": [one._asdict() for one in fleets],
            }
        )
    else:
        print_rules(reports)
        print_open(settings, state)
        if reports:
            click.echo(evaluation_in_words(is_watched, last_seen), err=True)
    problems = [*settings.problems, *(of_fleet(one) for one in fleets if one.last_error)]
    for problem in problems:
        warn(plain(problem))
    is_bad = problems or any(one.state == FIRING for one in reports)
    return DEGRADED if is_bad else OK


@command.command("check", epilog=EXAMPLES)
@json_option
@base_option
@click.pass_obj
def _check(settings: Settings, *, as_json: bool) -> int:
    """Evaluate every rule now, send what is due, and show the state.

    For use without a daemon, as from cron. A rule that is seen for the first time only fires for
    what happens from then on. Exits 1 if a daemon runs: it evaluates by itself.
    """
    # Imported here: it can send, and nothing else here does.
    from indexer.alerts.one_pass import check_once

    base = settings.base()
    if load_alerts(base).rules:
        done = check_once(base, partial(problems_of, base))
        for name, fault in done.faults.items():
            warn(f"alert {plain(name)} cannot be evaluated: {plain(fault)}")
    return _show(base, as_json)


@command.command("test", epilog=EXAMPLES)
@click.argument("name")
@json_option
@base_option
@click.pass_obj
def _test(settings: Settings, *, name: str, as_json: bool) -> int:
    """Send a test message to a channel, or to every channel of a rule; exit 1 if one fails."""
    # Imported here: HTTP is large, and nothing else here needs it.
    from indexer.alerts.trial import try_channel

    loaded = load_alerts(settings.base())
    rule = next((one for one in loaded.rules if one.name == name), None)
    wanted = {f"{PREFIX}{one}" for one in (rule.channels if rule else (name,))}
    channels = [one for one in loaded.channels if one.name in wanted]
    if not channels:
        why = "".join(f"; {one}" for one in loaded.problems if f" {name}:" in one)
        raise NoSuchTarget(f"no channel or rule {name} is configured{why}")
    if rule is not None:
        where = f"the fleet {plain(rule.on)}" if rule.on else "this host"
        click.echo(f"{plain(rule.name)} is evaluated on {where}", err=True)
    results = {one.name[len(PREFIX) :]: try_channel(one) for one in channels}
    if as_json:
        print_json(
            [
                {"channel": channel, "outcome": one.outcome, "reason": one.reason}
                for channel, one in results.items()
            ]
        )
    else:
        for channel, one in results.items():
            click.echo(f"{plain(channel)}: {one.outcome} ({plain(one.reason)})")
    return OK if all(one.outcome == DELIVERED for one in results.values()) else FAILED


@command.command("history", epilog=EXAMPLES)
@click.argument("name", required=False)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most.")
@json_option
@base_option
@click.pass_obj
def _history(settings: Settings, *, name: Optional[str], limit: int, as_json: bool) -> int:
    """List the messages of all rules or of one, newest first, and who has them."""
    state = _state(settings.base())
    messages = [
        one for rule in state.rules.values() for one in rule.messages if name in (None, one.rule)
    ]
    messages.sort(key=lambda one: (one.time, one.rule, one.number), reverse=True)
    rows = [message_row(one, state) for one in messages[:limit]]
    if as_json:
        print_json(rows)
    elif rows:
        print_messages(rows)
    else:
        click.echo("no messages", err=True)
    return OK


@command.command("silence", epilog=EXAMPLES)
@click.argument("name", required=False)
@click.option("--for", "length", metavar="AGE", default="1h", show_default=True, help="How long.")
@click.option("--reason", default="", help="Why: the history shows it.")
@click.option("--end", is_flag=True, help="End the silence now.")
@json_option
@base_option
@click.pass_obj
def _silence(
    settings: Settings, *, name: Optional[str], length: str, reason: str, end: bool, as_json: bool
) -> int:
    """Send no messages for a while, of one rule or of all.

    What fails meanwhile is never sent; an alert that lasts longer than the silence is.
    """
    base = settings.base()
    if name is not None and name not in {rule.name for rule in load_alerts(base).rules}:
        raise NoSuchTarget(f"no alert rule {name} is configured")
    try:
        duration = timedelta(0) if end else parse_duration(length)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from None
    now = datetime.now(timezone.utc)
    data = {
        "rule": name or ALL_RULES,
        "since": format_time(now),
        "until": format_time(now + duration),
        "reason": reason,
    }
    event: EventParts = (ALERT_SILENCED, ALERT_SUBJECT, data)
    is_written = Receipts(base).write([event])
    if as_json:
        print_json({**data, "written": is_written})
    else:
        what = name or "all rules"
        until = local_time(data["until"], short=True)
        click.echo(f"{plain(what)}: {'not silenced' if end else f'silenced until {until}'}")
    if not is_written:
        warn("the log cannot be written to: free some space or fix its permissions")
    return OK if is_written else FAILED


@command.command("suggest", epilog=EXAMPLES)
@json_option
@base_option
@click.pass_obj
def _suggest(settings: Settings, *, as_json: bool) -> int:
    """Print rules for jobs that run regularly, from their own history."""
    # Imported here: nothing else here needs them.
    from indexer.alerts.suggest.rules import suggestions

    with open_database(settings.base()) as connection:
        found = suggestions(connection, datetime.now(timezone.utc))
    if as_json:
        print_json([one._asdict() for one in found])
        return OK
    for one in found:
        click.echo(one.as_toml())
    click.echo(f"{many(len(found), 'job')} with a rhythm", err=True)
    return OK


def _state(base: Base) -> AlertState:
    with open_database(base) as connection:
        return read_state(alert_events(connection))


def _fleets(base: Base) -> list[WatchHealth]:
    with open_database(base) as connection:
        return list(read_alert_health(base, connection).fleets)


def _daemon_last_seen(base: Base) -> Optional[str]:
    with open_database(base) as connection:
        status = read_status(connection)
    return status.get("stopped_at") or status.get("heartbeat")
