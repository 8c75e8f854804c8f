"""Check Python: which interpreter this is, and whether it is new enough."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator

from indexer.doctor.finding import Finding, failure, ok
from indexer.doctor.subject import Subject

_OLDEST = (3, 9)


def check(_subject: Subject) -> Iterator[Finding]:
    """Check the interpreter."""
    what = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    if sys.version_info < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        yield failure(f"{what} is too old", f"use Python {oldest} or newer")
    else:
        yield ok(what)
