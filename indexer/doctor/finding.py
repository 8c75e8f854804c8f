"""One thing that was checked, its state, and what to do about it.

Made by the checks, shown by `telemetry doctor`.
"""

from __future__ import annotations

from typing import NamedTuple

OK, NOTE, WARNING, FAILURE = "ok", "note", "warning", "failure"
BAD_STATES = (WARNING, FAILURE)
"""The states that make an installation degraded."""


class Finding(NamedTuple):
    """The result of one check on one thing."""

    topic: str
    """The check that found it."""
    state: str
    """`ok`, `note` (good to know), `warning` (needs attention) or `failure` (does not work)."""
    what: str
    todo: str = ""
    """What to do about it; empty if nothing."""


def ok(what: str) -> Finding:
    """Return a finding that all is well."""
    return Finding("", OK, what)


def note(what: str, todo: str = "") -> Finding:
    """Return a finding that is good to know and harms nothing."""
    return Finding("", NOTE, what, todo)


def warning(what: str, todo: str) -> Finding:
    """Return a finding on what works, or half works, and needs attention."""
    return Finding("", WARNING, what, todo)


def failure(what: str, todo: str) -> Finding:
    """Return a finding on what does not work."""
    return Finding("", FAILURE, what, todo)
