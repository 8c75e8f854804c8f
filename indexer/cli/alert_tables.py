"""Show alert rules and their messages as tables and lines.

Used by `telemetry alerts`.
"""

from __future__ import annotations

from typing import Any, Optional

import click

from indexer.alerts.alerting import INTERVAL_SECONDS
from indexer.alerts.message import title_of
from indexer.alerts.queueing import PREFIX
from indexer.alerts.settings.load import AlertSettings
from indexer.alerts.state import AlertState, Message
from indexer.health.alert_rules import RuleReport, open_alerts
from indexer.terminal.format import ago, count, local_time, plain
from indexer.terminal.hyperlink import linked_run, sequence
from indexer.terminal.table import Column, print_table

_STYLES = {"firing": "red", "ok": "green", "silenced": "yellow", "quiet": "dim", "new": "dim"}


def print_rules(reports: list[RuleReport]) -> None:
    """Print the rules with their state."""
    if not reports:
        click.echo("no alert rules: see `telemetry docs alerts`", err=True)
        return
    columns = [
        Column("RULE"),
        Column("KIND"),
        Column("ON"),
        Column("STATE", styles=_STYLES),
        Column("FIRING", right=True),
        Column("MESSAGES", right=True),
        Column("LAST MESSAGE"),
        Column("CHANNELS", cut=True),
    ]
    print_table(columns, [_cells(one) for one in reports])


def _cells(one: RuleReport) -> list[str]:
    return [
        plain(one.name),
        one.kind,
        plain(one.on or "this host"),
        one.state,
        count(len(one.firing)),
        count(one.messages),
        ago(one.last_message) if one.last_message else "",
        plain(", ".join(one.channels)),
    ]


def print_open(settings: AlertSettings, state: AlertState) -> None:
    """Print what is firing, a line each."""
    for rule in settings.rules:
        for one in open_alerts(rule, state):
            measured = one.item.get("measured", "")
            run_id = one.item.get("run_id")
            subject = linked_run(str(run_id), plain(one.subject)) if run_id else plain(one.subject)
            click.echo(
                f"{plain(rule.name)}: {sequence(subject)}: {plain(measured)}"
                f" (since {local_time(one.since, short=True)})"
            )


def evaluation_in_words(is_watched: bool, last_seen: Optional[str]) -> str:
    """Say who evaluates the rules; `last_seen` is when a daemon last reported, if one ever did."""
    if is_watched:
        return f"the daemon evaluates the rules every {INTERVAL_SECONDS:g} seconds"
    last = f"; a daemon last did so {ago(last_seen)}" if last_seen else ""
    return f"no daemon is running: only `telemetry alerts check` evaluates the rules{last}"


def print_messages(rows: list[dict[str, Any]]) -> None:
    """Print messages, as `message_row` makes them."""
    columns = [
        Column("WHEN"),
        Column("MESSAGE", cut=True),
        Column("SUBJECTS", right=True),
        Column("CHANNELS", cut=True),
    ]
    print_table(columns, [_history_cells(row) for row in rows])


def message_row(message: Message, state: AlertState) -> dict[str, Any]:
    """Return a message as `alerts history --json` shows it."""
    channels = message.data.get("channels") or []
    return {
        "rule": message.rule,
        "number": message.number,
        "change": message.type.partition(".")[2],
        "time": message.time,
        "title": title_of(message),
        "count": message.data.get("count"),
        "channels": {
            str(one): state.settled.get((f"{PREFIX}{one}", message.rule, message.number), "waiting")
            for one in channels
        },
        "alerts": message.data.get("items"),
    }


def _history_cells(row: dict[str, Any]) -> list[str]:
    channels = ", ".join(f"{name} {outcome}" for name, outcome in row["channels"].items())
    return [
        local_time(row["time"], short=True),
        plain(row["title"]),
        count(row["count"] or 0),
        plain(channels or "silenced"),
    ]
