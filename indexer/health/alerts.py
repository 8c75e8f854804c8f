"""Report how alerting is doing: invalid rules, and channels that get no messages.

Used by `telemetry status`, `telemetry alerts` and doctor. It only reads, and shows no secret.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from indexer.alerts.fleet.state import load_watch
from indexer.alerts.queueing import PREFIX
from indexer.alerts.rule import Rule
from indexer.alerts.settings.load import load_alerts
from indexer.alerts.state import AlertState, read_state
from indexer.forward.circuit_breaker import CircuitBreaker
from indexer.forward.target_state import load_state
from indexer.health.model import AlertHealth, ChannelHealth, WatchHealth
from indexer.outbox.attempt import REJECTED
from indexer.outbox.parcel import ALERT
from indexer.outbox.queue import TargetBacklog, backlogs
from indexer.store.alerts.events import alert_events
from indexer.system.base import Base
from telemetry_core.timestamp import format_time

_RECENT = timedelta(days=7)
_NOTHING = TargetBacklog(0, None)


def read_alert_health(base: Base, connection: sqlite3.Connection) -> AlertHealth:
    """Return how alerting is doing in a base directory."""
    settings = load_alerts(base)
    if not settings.rules and not settings.channels:
        # Most bases have no alerts.
        return AlertHealth(list(settings.problems), 0, [])
    state = read_state(alert_events(connection))
    waiting, rejected = backlogs(connection, ALERT), _rejected(state)
    channels = []
    for target in settings.channels:
        stored = load_state(connection, target.name)
        channels.append(
            ChannelHealth(
                name=target.name[len(PREFIX) :],
                kind="webhook" if target.kind == "http" else target.kind,
                state=CircuitBreaker(1.0, 1, stored.breaker).condition,
                last_delivered_at=stored.last_delivered_at,
                last_error=stored.last_error,
                waiting=waiting.get(target.name, _NOTHING).waiting,
                rejected=rejected[target.name],
            )
        )
    firing = sum(len(state.of(rule.name).open) for rule in settings.rules)
    fleets = [_watch(connection, name, settings.rules) for name in _centres(settings.rules)]
    return AlertHealth(list(settings.problems), firing, channels, fleets)


def _centres(rules: Sequence[Rule]) -> list[str]:
    return sorted({rule.on for rule in rules if rule.on})


def _watch(connection: sqlite3.Connection, centre: str, rules: Sequence[Rule]) -> WatchHealth:
    state = load_watch(connection, centre)
    return WatchHealth(
        name=centre,
        rules=[rule.name for rule in rules if rule.on == centre],
        last_answered_at=state.last_delivered_at,
        last_error=state.last_error,
        error_since=state.last_error_at,
    )


def _rejected(state: AlertState) -> Counter[str]:
    since = format_time(datetime.now(timezone.utc) - _RECENT)
    recent = {
        (message.rule, message.number)
        for rule in state.rules.values()
        for message in rule.messages
        if message.time >= since
    }
    return Counter(
        channel
        for (channel, rule, number), outcome in state.settled.items()
        if outcome == REJECTED and (rule, number) in recent
    )
