"""Check Python: which interpreter this is, whether it is new enough, and what records events."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator

from indexer.doctor.finding import Finding, failure, ok
from indexer.doctor.subject import Subject
from telemetry_core.speed import WHY_PURE

_OLDEST = (3, 9)


def check(_subject: Subject) -> Iterator[Finding]:
    """Check the interpreter, and say whether the compiled extension is used."""
    what = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    if sys.version_info < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        yield failure(f"{what} is too old", f"use Python {oldest} or newer")
    else:
        yield ok(what)
    if WHY_PURE:
        yield ok(f"events are recorded by the code in Python; the extension in C: {WHY_PURE}")
    else:
        yield ok("events are recorded by the extension in C")
