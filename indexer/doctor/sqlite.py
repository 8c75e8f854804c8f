"""The check of SQLite: the version that Python brings, and what is known to be wrong with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from indexer.doctor.finding import Finding, failure, note, ok
from indexer.doctor.subject import Subject

_OLDEST = (3, 25, 0)
"""Window functions, which `runs_by_agent` is made of."""
_WITHDRAWN = (3, 52, 0)
# Each series with the first version that has the mended checkpoint.
_MENDED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))


def check(_subject: Subject) -> Iterator[Finding]:
    """Look at the version alone: a distribution may have mended an older one."""
    version = sqlite3.sqlite_version_info
    if version < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        yield failure(
            f"SQLite {sqlite3.sqlite_version} is too old", f"use a Python with {oldest} or newer"
        )
        return
    yield ok(f"SQLite {sqlite3.sqlite_version}")
    if version == _WITHDRAWN:
        yield note("SQLite 3.52.0 was withdrawn by its makers", "use 3.51.3, or 3.53.0 or newer")
    if has_wal_reset_bug(version):
        yield note(
            "by its version it has the WAL-reset bug: two connections that write and checkpoint at"
            " the same instant can damage a database",
            "nothing while only `telemetry` writes the view: one process at a time does. Mended in"
            " 3.51.3, 3.50.7 and 3.44.6; a damaged view is rebuilt from the log",
        )


def has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Whether a version is one from 3.7.0 to 3.51.2 without the later correction."""
    if not (3, 7, 0) <= version < _MENDED[0]:
        return False
    return not any(version[:2] == first[:2] and version >= first for first in _MENDED)
