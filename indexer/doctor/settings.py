"""The check of settings: where the base was found, what makes no sense, what may be misspelled."""

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
    """Look at the configuration and at the environment behind it."""
    yield ok(f"the base is {subject.base.directory}, by {_base_source(subject)}")
    yield from _overruled(subject)
    for problem in subject.base.config.validate(strict=False)[1]:
        yield warning(problem, "correct the variable, or remove it")
    yield from _strangers(subject)


def values(subject: Subject) -> list[dict[str, Any]]:
    """Return every setting with its value in force and where that came from; no secret."""
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
        return "default: the first that is there of the well-known places"
    return "default: no variable names one, and no well-known place is there"


def _overruled(subject: Subject) -> Iterator[Finding]:
    """Find variables that name another base than the one in force."""
    if subject.is_base_given:
        return
    base, by = subject.base.directory, storage.base_variable(subject.environ)
    for name in storage.BASE_VARIABLES[1:]:
        value = subject.environ.get(name)
        alone = {name: value} if value else {}
        if storage.base_variable(alone) and storage.locate(alone).base != base:
            yield warning(
                f"{name} names {value}, and is overruled by {by}",
                "remove one of the two: whoever has only the other in force uses another base",
            )


def _strangers(subject: Subject) -> Iterator[Finding]:
    """Find variables that look like ours and are read by nobody."""
    known = [setting.variable for setting in SETTINGS]
    for name in sorted(subject.environ):
        if name in known or not name.startswith((_OUR_PREFIX, *_SHARED_PREFIXES)):
            continue
        close = difflib.get_close_matches(name, known, n=1, cutoff=_LIKENESS)
        if close:
            yield warning(f"{name} is no setting", f"perhaps {close[0]} was meant")
        elif name.startswith(_OUR_PREFIX):
            yield note(f"{name} is no setting of ours", "docs/configuration.md lists them all")


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
        return "default, in place of nonsense"
    if subject.environ.get(setting.variable):
        return "environment"
    return "base" if setting.attribute in ("database_path", "ndjson_dir") else "default"
