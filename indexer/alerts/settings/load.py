"""Read the alert rules, channels and heartbeat of the settings file.

A rule or channel that makes no sense is reported with what to do about it, and the others are
used. No message shows a value that may be a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Optional

from indexer.alerts.queueing import PREFIX
from indexer.alerts.rule import Rule
from indexer.alerts.settings.channels import InvalidChannel, channel_of
from indexer.alerts.settings.heartbeat import HeartbeatSettings, heartbeat_of
from indexer.alerts.settings.rules import InvalidRule, rule_of
from indexer.outbox.settings_file import read_document
from indexer.outbox.target import Target
from indexer.outbox.targets import load_targets
from indexer.system.base import Base

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


class AlertSettings(NamedTuple):
    """What is configured."""

    rules: tuple[Rule, ...]
    channels: tuple[Target, ...]
    """As targets of the forwarder; their names begin with `alert:`."""
    heartbeat: Optional[HeartbeatSettings]
    problems: tuple[str, ...]
    """What cannot be used: where it is configured, what is wrong, and what to do."""


def load_alerts(base: Base, environ: Optional[Mapping[str, str]] = None) -> AlertSettings:
    """Return the alert rules and channels of a base directory. Raises nothing."""
    path = base.settings_path
    # A file that cannot be read at all is reported with the targets.
    document, _ = read_document(path)
    given = os.environ if environ is None else environ
    problems: list[str] = []
    channels = _channels(document.get("channels", {}), given, problems)
    rules = _rules(document.get("alerts", []), {one.name for one in channels}, problems)
    rules = _with_centres(base, rules, problems)
    heartbeat = None
    if "heartbeat" in document:
        try:
            heartbeat = heartbeat_of(document["heartbeat"], given)
        except InvalidChannel as error:
            problems.append(f"heartbeat: {error}")
    if base.config.test_mode == "mock":
        # Nothing leaves this machine in a test.
        channels, heartbeat = [], None
    named = tuple(f"{path}: {problem}" for problem in problems)
    return AlertSettings(tuple(rules), tuple(channels), heartbeat, named)


def _channels(tables: Any, environ: Mapping[str, str], problems: list[str]) -> list[Target]:
    if not isinstance(tables, dict):
        problems.append("write `channels` as tables, as in [channels.NAME]")
        return []
    found = []
    for name, table in tables.items():
        try:
            found.append(channel_of(f"{PREFIX}{_checked(name)}", table, environ))
        except (InvalidChannel, ValueError) as error:
            problems.append(f"channel {name}: {error}")
    return found


def _rules(tables: Any, channels: set[str], problems: list[str]) -> list[Rule]:
    if not isinstance(tables, list):
        problems.append("write each rule as a table [[alerts]]")
        return []
    found: dict[str, Rule] = {}
    for number, table in enumerate(tables, 1):
        name = table.get("name") if isinstance(table, dict) else None
        called = f"alert {name}" if isinstance(name, str) else f"alert number {number}"
        try:
            rule = rule_of(table)
            found[_checked(rule.name, found)] = rule
        except (InvalidRule, ValueError) as error:
            problems.append(f"{called}: {error}")
            continue
        unknown = [one for one in rule.channels if f"{PREFIX}{one}" not in channels]
        problems += [
            f"{called}: its channel {one!r} is not configured, or not correctly: fix"
            f" [channels.{one}], or remove it from the rule"
            for one in unknown
        ]
    return list(found.values())


def _with_centres(base: Base, rules: list[Rule], problems: list[str]) -> list[Rule]:
    """Return the rules but those on a centre that is not configured, which are reported."""
    if not any(rule.on for rule in rules):
        return rules
    loaded = load_targets(base)
    names = {one.name for one in loaded.centres}
    problems += [
        f"alert {rule.name}: on is {rule.on!r}, and no target of kind clickhouse has that name:"
        f" {_which(names)}"
        for rule in rules
        if rule.on and rule.on not in {*names, *loaded.off}
    ]
    return [rule for rule in rules if not rule.on or rule.on in names]


def _which(names: Collection[str]) -> str:
    if not names:
        return "configure one, as `telemetry docs fleet` says"
    return f"use {' or '.join(sorted(names))}"


def _checked(name: str, taken: Collection[str] = ()) -> str:
    """Return a name that can be used. Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError("use letters, digits, `_`, `.` and `-` in a name, 64 at most")
    if name in taken:
        raise ValueError("another rule has this name: use a different one")
    return name
