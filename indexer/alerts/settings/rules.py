"""Read one `[[alerts]]` table as a rule."""

from __future__ import annotations

import difflib
from datetime import timedelta
from typing import Any

from indexer.alerts import rule as rules
from indexer.alerts.kinds.reported import PER
from indexer.alerts.rule import KINDS, LEVELS, Rule
from indexer.alerts.times.quiet_hours import parse_quiet_hours
from indexer.alerts.times.schedule import check_cron
from indexer.alerts.times.zones import zone_named
from telemetry_core.duration import parse_duration
from telemetry_core.status import normalise_status

COMMON_SETTINGS = {
    "name": str,
    "kind": str,
    "agent": str,
    "agents": list,
    "job": str,
    "jobs": list,
    "channels": list,
    "level": str,
    "on": str,
    "link": str,
    "remind": timedelta,
    "quiet": str,
    "timezone": str,
    "group": timedelta,
}
"""The settings of every rule and their types."""
KIND_SETTINGS: dict[str, dict[str, type]] = {
    rules.FAILED: {
        "status": str,
        "statuses": list,
        "in_a_row": int,
        "rate": float,
        "window": timedelta,
        "minimum": int,
    },
    rules.MISSED: {
        "status": str,
        "statuses": list,
        "every": timedelta,
        "cron": str,
        "grace": timedelta,
    },
    rules.STALE: {"after": timedelta},
    rules.SLOW: {"factor": float, "limit": timedelta},
    rules.SPEND: {"cost_usd": float, "tokens": int, "per": str},
    rules.SILENT: {"after": timedelta},
    rules.HEALTH: {},
    rules.SQL: {"query": str},
    rules.RAISED: {},
}
"""The settings that only some kinds have."""
_PLURALS = {"agent": "agents", "job": "jobs", "status": "statuses"}
_WORDS = {
    str: "a string",
    list: "a list of strings",
    int: "a whole number above 0",
    float: "a number above 0",
    timedelta: 'a length of time like "90s", "30m", "12h" or "7d"',
}
_NOT_OF_RUNS = (rules.HEALTH, rules.SQL)


class InvalidRule(Exception):
    """A rule cannot be used as it is configured. The message says why, and what to do."""


def rule_of(table: Any) -> Rule:
    """Read one table as a rule. Raises InvalidRule."""
    if not isinstance(table, dict) or "name" not in table:
        raise InvalidRule('write it as a table [[alerts]] with name = "..."')
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise InvalidRule(f"kind is {kind!r}: use one of {', '.join(KINDS)}")
    known = {**COMMON_SETTINGS, **KIND_SETTINGS[kind]}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise InvalidRule(_unknown(key, kind, list(known)))
        values[_PLURALS.get(key) or key] = _value(key, value, known[key])
    if "statuses" in values:
        values["statuses"] = tuple(normalise_status(one) for one in values["statuses"])
    try:
        if "quiet" in values:
            zone = zone_named(values.get("timezone", ""))
            values["quiet"] = parse_quiet_hours(values["quiet"], zone)
        rule = Rule(**values)
        _check(rule)
    except ValueError as error:
        raise InvalidRule(str(error)) from None
    return rule


def _unknown(key: str, kind: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
    return f"unknown setting {key!r} of a rule of kind {kind}; {hint}"


def _value(key: str, value: Any, kind: type) -> Any:
    if kind is timedelta and isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise InvalidRule(f"{key}: {error}") from None
    if kind is list and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if kind is str and isinstance(value, str) and value:
        return (value,) if key in _PLURALS else value
    numbers = {int: (int,), float: (int, float)}.get(kind, ())
    # A bool is an int to isinstance, and no number here.
    if isinstance(value, (int, float)) and type(value) in numbers and 0 < value < 2**53:
        return value
    raise InvalidRule(f"{key} has to be {_WORDS[kind]}")


def _check(rule: Rule) -> None:
    """Raise ValueError for settings that make no sense together."""
    if not rule.channels:
        raise ValueError('it notifies nobody: give channels = ["..."]')
    if rule.level not in LEVELS:
        raise ValueError(f"level is {rule.level!r}: use one of {', '.join(LEVELS)}")
    if rule.kind in _NOT_OF_RUNS and (rule.agents or rule.jobs):
        raise ValueError(f"a rule of kind {rule.kind} is not about agents and jobs: remove them")
    if rule.kind == rules.HEALTH and rule.on:
        raise ValueError("a rule of kind health is about this host: remove `on`")
    if rule.timezone:
        zone_named(rule.timezone)
    check = _CHECKS.get(rule.kind)
    if check is not None:
        check(rule)


def _check_failed(rule: Rule) -> None:
    if rule.in_a_row and rule.rate:
        raise ValueError("in_a_row and rate are both set: use a rule for each")
    if rule.rate > 1:
        raise ValueError("rate has to be at most 1: 0.2 is a fifth of the runs")


def _check_missed(rule: Rule) -> None:
    if (rule.every is None) == (not rule.cron):
        raise ValueError('give either every = "1d" or cron = "0 3 * * *"')
    if rule.cron:
        check_cron(rule.cron, rule.timezone)


def _check_spend(rule: Rule) -> None:
    if rule.cost_usd is None and rule.tokens is None:
        raise ValueError("give cost_usd = 10 or tokens = 1000000")
    if rule.per not in PER:
        raise ValueError(f"per is {rule.per!r}: use one of {', '.join(PER)}")


def _check_sql(rule: Rule) -> None:
    if not rule.query:
        raise ValueError('give query = "SELECT ..."; each row that it returns is an alert')


_CHECKS = {
    rules.FAILED: _check_failed,
    rules.MISSED: _check_missed,
    rules.SPEND: _check_spend,
    rules.SQL: _check_sql,
}
