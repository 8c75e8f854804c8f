"""Check the database: whether it opens, whose it is, and how it is set up."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from indexer.doctor.finding import Finding, failure, note, ok, warning
from indexer.doctor.open_database import open_without_trace
from indexer.doctor.subject import Subject
from indexer.store.integrity import check_integrity
from indexer.store.schema.check import has_our_schema
from indexer.store.sqlite_errors import is_damage
from indexer.system.filesystem import is_shared
from telemetry_core.run_fields import SCHEMA_VERSION

_CHECK_SECONDS = 10.0
_PRAGMAS = ("journal_mode", "page_size", "auto_vacuum", "application_id", "user_version")
_REBUILD = "`telemetry rebuild` rebuilds it from the log, which is not harmed"


def check(subject: Subject) -> Iterator[Finding]:
    """Open the database read-only and look."""
    path = subject.base.database_path
    if not os.path.lexists(path):
        yield note(
            f"{path} does not exist yet", "it is created on first use or by `telemetry init`"
        )
        return
    if not path.is_file():
        yield failure(f"{path} is not a file", "move it away: the database belongs there")
        return
    try:
        with closing(open_without_trace(path)) as connection:
            yield from _look_at(connection, path)
    except sqlite3.Error as error:
        todo = _REBUILD if is_damage(error) else "see the findings on directories"
        yield failure(f"{path}: {error}", todo)


def _look_at(connection: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    pragmas = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _PRAGMAS}
    facts = ", ".join(f"{name} {value}" for name, value in pragmas.items())
    if os.path.getsize(path) and not has_our_schema(connection):
        yield warning(
            f"{path} has another version than {SCHEMA_VERSION}, or is not ours: {facts}",
            "nothing: the next command rebuilds one of another version, and refuses one not ours",
        )
        return
    yield ok(f"{path}: {facts}")
    if pragmas["journal_mode"] == "wal" and is_shared(path.parent):
        yield warning(
            "the database is in WAL mode on a shared file system, which corrupts it",
            f"stop the daemon and delete {path}: it is rebuilt in the right mode",
        )
    yield _integrity(connection)


def _integrity(connection: sqlite3.Connection) -> Finding:
    found = check_integrity(connection, _CHECK_SECONDS)
    if found.ok is None:
        return note(
            f"only part of its pages was checked, for {_CHECK_SECONDS:g} seconds",
            "`telemetry status --integrity` checks all",
        )
    if found.problems:
        return failure(f"integrity check failed: {found.problems[0]}", _REBUILD)
    return ok("integrity check passed")
