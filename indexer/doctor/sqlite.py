"""Check SQLite: the version that Python uses, and what is known to be wrong with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from indexer.doctor.finding import Finding, failure, note, ok
from indexer.doctor.subject import Subject

_OLDEST = (3, 25, 0)
"""The first with window functions, which `runs_by_agent` uses."""
_WITHDRAWN = (3, 52, 0)
# The first version of each series with the corrected checkpoint.
_FIXED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))


def check(_subject: Subject) -> Iterator[Finding]:
    """Check the version alone: a distribution may have fixed an older one."""
    version = sqlite3.sqlite_version_info
    if version < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        yield failure(
            f"SQLite {sqlite3.sqlite_version} is too old", f"use a Python with {oldest} or newer"
        )
        return
    yield ok(f"SQLite {sqlite3.sqlite_version}")
    if version == _WITHDRAWN:
        yield note("SQLite 3.52.0 was withdrawn by its authors", "use 3.51.3, or 3.53.0 or newer")
    if has_wal_reset_bug(version):
        yield note(
            "this version has the WAL-reset bug: two connections that write and checkpoint at the"
            " same instant can damage a database",
            "no action needed: only `telemetry` writes the database, one process at a time."
            " Fixed in 3.51.3, 3.50.7 and 3.44.6",
        )


def has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Return whether a version is one from 3.7.0 to 3.51.2 without the later fix."""
    if not (3, 7, 0) <= version < _FIXED[0]:
        return False
    return not any(version[:2] == first[:2] and version >= first for first in _FIXED)
