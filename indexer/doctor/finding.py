"""The finding: one thing that was examined, how it is, and what to do about it.

Made by the checks, shown by `telemetry doctor`.
"""

from __future__ import annotations

from typing import NamedTuple

OK, NOTE, WARNING, FAILURE = "ok", "note", "warning", "failure"
TROUBLE = (WARNING, FAILURE)
"""The states that make an installation degraded."""


class Finding(NamedTuple):
    """What a check found."""

    topic: str
    """The check that found it."""
    state: str
    """`ok`, `note` (good to know), `warning` (look after it) or `failure` (does not work)."""
    what: str
    todo: str = ""


def ok(what: str) -> Finding:
    """Return that all is well."""
    return Finding("", OK, what)


def note(what: str, todo: str = "") -> Finding:
    """Return what is good to know and harms nothing."""
    return Finding("", NOTE, what, todo)


def warning(what: str, todo: str) -> Finding:
    """Return what works, or half works, and should be looked after."""
    return Finding("", WARNING, what, todo)


def failure(what: str, todo: str) -> Finding:
    """Return what does not work."""
    return Finding("", FAILURE, what, todo)
