"""Check the settings: where the base directory comes from, bad values, likely misspellings."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from indexer.doctor.finding import Finding, note, ok, warning
from indexer.doctor.subject import Subject
from telemetry_core import storage
from telemetry_core.config import without_secrets
from telemetry_core.settings import SETTINGS, Setting

_OUR_PREFIX = "TELEMETRY_"
_SHARED_PREFIXES = ("AGENT_", "METRICS_")
_LIKENESS = 0.8


def check(subject: Subject) -> Iterator[Finding]:
    """Check the configuration and the environment that it comes from."""
    yield ok(f"the base directory is {subject.base.directory}, by {_base_source(subject)}")
    yield from _overridden(subject)
    for problem in subject.base.config.validate(strict=False)[1]:
        yield warning(problem, "fix the variable, or unset it")
    yield from _unknown(subject)


def values(subject: Subject) -> list[dict[str, Any]]:
    """Return every setting with its value and where that comes from; no secrets."""
    return [
        {
            "setting": setting.variable,
            "value": _shown(setting, subject),
            "source": _source(setting, subject),
        }
        for setting in SETTINGS
        if setting.attribute
    ]


def _base_source(subject: Subject) -> str:
    if subject.is_base_given:
        return "--base"
    variable = storage.base_variable(subject.environ)
    if variable:
        return variable
    if subject.base.directory.is_dir():
        return "default: the first well-known directory that exists"
    return "default: no variable is set, and no well-known directory exists"


def _overridden(subject: Subject) -> Iterator[Finding]:
    """Find variables that name another base directory than the one in use."""
    if subject.is_base_given:
        return
    base, by = subject.base.directory, storage.base_variable(subject.environ)
    for name in storage.BASE_VARIABLES[1:]:
        value = subject.environ.get(name)
        alone = {name: value} if value else {}
        if storage.base_variable(alone) and storage.locate(alone).base != base:
            yield warning(
                f"{name} is {value}, and is overridden by {by}",
                "unset one of the two: a process with only the other uses another base directory",
            )


def _unknown(subject: Subject) -> Iterator[Finding]:
    """Find variables that look like settings but are not."""
    known = [setting.variable for setting in SETTINGS]
    for name in sorted(subject.environ):
        if name in known or not name.startswith((_OUR_PREFIX, *_SHARED_PREFIXES)):
            continue
        close = difflib.get_close_matches(name, known, n=1, cutoff=_LIKENESS)
        if close:
            yield warning(f"{name} is not a setting", f"did you mean {close[0]}?")
        elif name.startswith(_OUR_PREFIX):
            yield note(
                f"{name} is not one of our settings",
                "`telemetry docs configuration` lists them all",
            )


def _shown(setting: Setting, subject: Subject) -> Any:
    value = getattr(subject.base.config, setting.attribute)
    if setting.attribute == "api_token":
        return "***" if value else None
    if setting.attribute == "api_url" and value:
        return without_secrets(value)
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def _source(setting: Setting, subject: Subject) -> str:
    if setting.attribute == "metrics_dir":
        return _base_source(subject).partition(":")[0]
    if any(text.startswith(f"{setting.variable} ") for text in subject.base.config.refused):
        return "default, instead of a bad value"
    if subject.environ.get(setting.variable):
        return "environment"
    return "base" if setting.attribute in ("database_path", "ndjson_dir") else "default"
