"""Turn conditions into messages: what changed since the last message of a rule. Pure.

The clock is an argument, and the state is that of the log: asked twice, it says the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from indexer.alerts.condition import Condition
from indexer.alerts.rule import LEVELS, Rule
from indexer.alerts.state import AlertState, OpenAlert, RuleState
from indexer.alerts.times.durations import moment
from telemetry_core.event import ALERT_FIRED, ALERT_REMINDED, ALERT_RESOLVED
from telemetry_core.timestamp import format_time

FULL_ITEMS = 20
"""So many subjects of a message are described; of the others it has the names."""
MAX_ITEMS = 2_000
"""The most subjects of one message; more make another one."""


class _Part(NamedTuple):
    kind: str
    items: list[dict[str, Any]]
    is_muted: bool = False
    """Whether the state changes and nobody is notified."""


class NewMessage(NamedTuple):
    """A message to be written as an event."""

    type: str
    data: dict[str, Any]


def messages_due(
    rule: Rule, state: AlertState, conditions: Collection[Condition], now: datetime
) -> list[NewMessage]:
    """Return the messages of a rule that are due now, in order."""
    known, time = state.of(rule.name), format_time(now)
    new = [one for one in conditions if one.is_once and _key(one) not in known.fired]
    muted = [one for one in new if state.is_silenced(rule.name, one.time or time)]
    loud = [one for one in new if not state.is_silenced(rule.name, one.time or time)]
    parts = [_Part(ALERT_FIRED, [_item(one, rule, "") for one in muted], is_muted=True)]
    if not is_held_back(rule, known, now) and not state.is_silenced(rule.name, time):
        number = str(known.number + 1)
        present = {one.subject: one for one in conditions if not one.is_once}
        loud += [one for name, one in present.items() if name not in known.open]
        ended = [one for name, one in known.open.items() if name not in present]
        parts.append(_Part(ALERT_FIRED, [_item(one, rule, number) for one in loud]))
        parts.append(_Part(ALERT_RESOLVED, [_resolved(one, time) for one in ended]))
        if not loud and not ended:
            parts.append(_Part(ALERT_REMINDED, _reminders(rule, known, present, now)))
    return _numbered(rule, known, time, parts)


def is_held_back(rule: Rule, known: RuleState, now: datetime) -> bool:
    """Return whether messages of a rule wait: for others to join them, or for quiet hours."""
    if rule.quiet is not None and rule.quiet.cover(now):
        return True
    last = moment(known.last_message_at)
    # One in the future was sent before the clock was set back.
    return last is not None and last <= now < last + rule.group


def _numbered(rule: Rule, known: RuleState, time: str, parts: Iterable[_Part]) -> list[NewMessage]:
    found: list[NewMessage] = []
    for part in parts:
        for first in range(0, len(part.items), MAX_ITEMS):
            some = part._replace(items=part.items[first : first + MAX_ITEMS])
            data = {"number": known.number + 1 + len(found), "time": time, **_data(rule, some)}
            found.append(NewMessage(part.kind, data))
    return found


def _data(rule: Rule, part: _Part) -> dict[str, Any]:
    items = part.items
    levels = [item["level"] for item in items if item.get("level") in LEVELS]
    names = ("subject", "occurrence", "once")
    return {
        "rule": rule.name,
        "kind": rule.kind,
        "level": max(levels, key=LEVELS.index, default=rule.level),
        "key": _message_key(rule, part.kind, items),
        "channels": [] if part.is_muted else list(rule.channels),
        "count": len(items),
        "items": [
            *items[:FULL_ITEMS],
            *({name: one[name] for name in names if name in one} for one in items[FULL_ITEMS:]),
        ],
    }


def _message_key(rule: Rule, kind: str, items: list[dict[str, Any]]) -> str:
    """Return the key of a message: the same for the same subjects and occurrences."""
    # Imported here: it loads OpenSSL, and every `telemetry status` comes by.
    import hashlib

    names = sorted(f"{one['subject']}\n{one['occurrence']}" for one in items)
    digest = hashlib.blake2b("\n\n".join(names).encode(), digest_size=12).hexdigest()
    return f"{rule.name}:{kind.partition('.')[2]}:{digest}"


def _item(one: Condition, rule: Rule, number: str) -> dict[str, Any]:
    values = {
        "subject": one.subject,
        "occurrence": one.occurrence or ("" if one.is_once else number),
        "once": one.is_once or None,
        "measured": one.measured,
        "limit": one.limit,
        "at": one.time or None,
        "run_id": one.run_id,
        "error": one.error,
        "span": one.span,
        "level": one.level or None,
        "link": _link(rule, one),
    }
    return {name: value for name, value in values.items() if value is not None}


def _link(rule: Rule, one: Condition) -> object:
    if not rule.link:
        return None
    # Imported here: most rules have no link.
    from urllib.parse import quote

    base = rule.link.rstrip("/")
    return base if one.run_id is None else f"{base}/runs/{quote(one.run_id, safe='')}"


def _resolved(one: OpenAlert, time: str) -> dict[str, Any]:
    return {"subject": one.subject, "occurrence": one.occurrence, "since": one.since, "at": time}


def _reminders(
    rule: Rule, known: RuleState, present: dict[str, Condition], now: datetime
) -> list[dict[str, Any]]:
    last = moment(known.last_message_at)
    if rule.remind is None or last is None or last <= now < last + rule.remind:
        return []
    return [
        {
            **_item(present[name], rule, one.occurrence),
            "since": one.since,
            "occurrence": _nth(known),
        }
        for name, one in known.open.items()
    ]


def _nth(known: RuleState) -> str:
    return f"reminder {known.number + 1}"


def _key(one: Condition) -> tuple[str, str]:
    return one.subject, one.occurrence
