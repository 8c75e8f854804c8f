"""The state of the alert rules, read back from the alert events of the log. Pure.

A function of the set of events alone: messages of a rule are numbered, and their order is that of
the numbers, whatever a clock did between them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from indexer.outbox.attempt import DELIVERED, REJECTED
from indexer.store.alerts.events import AlertEvent
from telemetry_core.event import (
    ALERT_DELIVERED,
    ALERT_DELIVERY_FAILED,
    ALERT_FIRED,
    ALERT_REMINDED,
    ALERT_RESOLVED,
    ALERT_SILENCED,
    ALERT_STARTED,
    ALERT_SUBJECT,
)

MESSAGES = (ALERT_FIRED, ALERT_RESOLVED, ALERT_REMINDED)
ALL_RULES = "*"
"""The rule of a silence that is for all of them."""


class Message(NamedTuple):
    """One message of a rule, as its event has it."""

    rule: str
    type: str
    number: int
    """Rises by one within the rule."""
    time: str
    """By the clock that evaluated the rule."""
    data: dict[str, Any]


class OpenAlert(NamedTuple):
    """A subject that fired and has not been resolved."""

    subject: str
    occurrence: str
    since: str
    item: dict[str, Any]


class Silence(NamedTuple):
    """A time in which a rule, or all of them, send nothing."""

    rule: str
    since: str
    until: str
    reason: str

    def covers(self, rule: str, time: str) -> bool:
        """Return whether it is for this rule, and for this time."""
        return self.rule in (ALL_RULES, rule) and self.since <= time < self.until


@dataclass
class RuleState:
    """What is known of one rule."""

    started_at: str = ""
    """When it was first seen; empty if it was not."""
    number: int = 0
    """Of its last message."""
    last_message_at: str = ""
    fired: set[tuple[str, str]] = field(default_factory=set)
    """Subject and occurrence of all that ever fired."""
    open: dict[str, OpenAlert] = field(default_factory=dict)
    """By subject."""
    messages: list[Message] = field(default_factory=list)
    """In order."""


@dataclass
class AlertState:
    """What is known of all rules."""

    rules: dict[str, RuleState] = field(default_factory=dict)
    silences: list[Silence] = field(default_factory=list)
    settled: dict[tuple[str, str, int], str] = field(default_factory=dict)
    """By channel, rule and number of a message: `delivered` or `rejected`."""

    def of(self, rule: str) -> RuleState:
        """Return what is known of one rule; that may be nothing."""
        return self.rules.get(rule) or RuleState()

    def is_silenced(self, rule: str, time: str) -> bool:
        """Return whether a rule sends nothing about what happens at this time."""
        return any(silence.covers(rule, time) for silence in self.silences)


def subject_of_rule(rule: str) -> str:
    """Return the subject of the events of a rule."""
    return f"{ALERT_SUBJECT}.{rule}"


def read_state(events: Iterable[AlertEvent]) -> AlertState:
    """Return the state that the alert events of a log amount to, in whichever order they come."""
    state = AlertState()
    messages: list[tuple[int, str, str, AlertEvent]] = []
    silences: list[tuple[str, str, Silence]] = []
    for event in events:
        rule = event.subject[len(ALERT_SUBJECT) + 1 :]
        time = str(event.data.get("time") or event.time)
        if event.type in MESSAGES:
            number = event.data.get("number")
            if type(number) is int:
                messages.append((number, event.time, event.event_id, event))
        elif event.type == ALERT_STARTED:
            known = state.rules.setdefault(rule, RuleState())
            known.started_at = min(time, known.started_at or time)
        elif event.type == ALERT_SILENCED:
            silences.append((event.time, event.event_id, _silence(event.data, time)))
        elif event.type in (ALERT_DELIVERED, ALERT_DELIVERY_FAILED):
            _add_receipt(state, rule, event.data)
    for number, _, _, event in sorted(messages, key=lambda one: one[:3]):
        _add_message(state, number, event)
    _add_silences(state, [silence for _, _, silence in sorted(silences)])
    return state


def _add_message(state: AlertState, number: int, event: AlertEvent) -> None:
    rule = event.subject[len(ALERT_SUBJECT) + 1 :]
    known = state.rules.setdefault(rule, RuleState())
    time = str(event.data.get("time") or event.time)
    known.number = max(known.number, number)
    if event.data.get("channels"):
        known.last_message_at = time
    known.messages.append(Message(rule, event.type, number, time, event.data))
    items = event.data.get("items")
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            _add_item(known, event.type, time, item)


def _add_item(known: RuleState, kind: str, time: str, item: dict[str, Any]) -> None:
    subject, occurrence = str(item.get("subject")), str(item.get("occurrence"))
    if kind == ALERT_FIRED:
        known.fired.add((subject, occurrence))
        if not item.get("once"):
            known.open[subject] = OpenAlert(subject, occurrence, time, item)
    elif kind == ALERT_RESOLVED:
        known.open.pop(subject, None)


def _add_receipt(state: AlertState, rule: str, data: dict[str, Any]) -> None:
    number, outcome = data.get("revision"), data.get("outcome")
    if type(number) is not int:
        return
    known = state.rules.setdefault(rule, RuleState())
    # Its message may have been pruned: no other one may get this number.
    known.number = max(known.number, number)
    if outcome in (DELIVERED, REJECTED):
        key = (str(data.get("target")), rule, number)
        if state.settled.get(key) != DELIVERED:
            state.settled[key] = outcome


def _silence(data: dict[str, Any], time: str) -> Silence:
    return Silence(
        str(data.get("rule") or ALL_RULES),
        str(data.get("since") or time),
        str(data.get("until") or time),
        str(data.get("reason") or ""),
    )


def _add_silences(state: AlertState, silences: list[Silence]) -> None:
    """Add silences in order: one that ends where it begins ends the earlier ones of its rule."""
    for silence in silences:
        if silence.until <= silence.since:
            state.silences = [
                one._replace(until=min(one.until, silence.since))
                if silence.rule in (ALL_RULES, one.rule)
                else one
                for one in state.silences
            ]
        else:
            state.silences.append(silence)
