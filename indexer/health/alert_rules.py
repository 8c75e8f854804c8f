"""Each alert rule with its state, for `telemetry alerts`. It only reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Optional

from indexer.alerts.rule import Rule
from indexer.alerts.state import AlertState, OpenAlert
from telemetry_core.timestamp import format_time

NEW, OK, FIRING, SILENCED, QUIET = "new", "ok", "firing", "silenced", "quiet"


@dataclass(frozen=True)
class RuleReport:
    """One rule and its state. The fields are the keys of `--json`."""

    name: str
    kind: str
    state: str
    """`new` before the daemon has seen it, `ok`, `firing`, `silenced`, or `quiet`."""
    since: Optional[str]
    """When it was first seen: what happened before fires nothing."""
    firing: list[str]
    """The subjects of open alerts."""
    last_message: Optional[str]
    messages: int
    channels: list[str]
    on: Optional[str]
    """The centre whose rows it is evaluated on; None for this host's."""


def report_rule(rule: Rule, state: AlertState, now: datetime) -> RuleReport:
    """Return what is known of one rule."""
    known = state.of(rule.name)
    return RuleReport(
        name=rule.name,
        kind=rule.kind,
        state=_state(rule, state, now),
        since=known.started_at or None,
        firing=sorted(known.open),
        last_message=known.last_message_at or None,
        messages=sum(1 for message in known.messages if message.data.get("channels")),
        channels=list(rule.channels),
        on=rule.on or None,
    )


def open_alerts(rule: Rule, state: AlertState) -> list[OpenAlert]:
    """Return the open alerts of a rule, the oldest first."""
    return sorted(state.of(rule.name).open.values(), key=lambda one: (one.since, one.subject))


def _state(rule: Rule, state: AlertState, now: datetime) -> str:
    known = state.of(rule.name)
    if not known.started_at:
        return NEW
    if state.is_silenced(rule.name, format_time(now)):
        return SILENCED
    if known.open:
        return FIRING
    return QUIET if rule.quiet is not None and rule.quiet.cover(now) else OK
