"""The check of the view: whether it opens, whose it is, and how it is set up."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from indexer.doctor.finding import Finding, failure, note, ok, warning
from indexer.doctor.subject import Subject
from indexer.store.connection import is_damage, read_only_uri
from indexer.store.integrity import check_integrity
from indexer.store.schema.check import has_our_schema
from indexer.system.filesystem import is_shared
from telemetry_core.fields import SCHEMA_VERSION

_CHECK_SECONDS = 10.0
_PRAGMAS = ("journal_mode", "page_size", "auto_vacuum", "application_id", "user_version")
_REBUILD = "`telemetry rebuild` makes it anew from the log, which is not harmed"


def check(subject: Subject) -> Iterator[Finding]:
    """Open the view for reading and look."""
    path = subject.base.database_path
    if not os.path.lexists(path):
        yield note(f"{path} is not there yet", "made on first use, or by `telemetry init`")
        return
    if not path.is_file():
        yield failure(f"{path} is no file", "move it away: the view belongs there")
        return
    try:
        with closing(_open(path)) as connection:
            yield from _look_at(connection, path)
    except sqlite3.Error as error:
        todo = _REBUILD if is_damage(error) else "see what is said of directories"
        yield failure(f"{path}: {error}", todo)


def _open(path: Path) -> sqlite3.Connection:
    # Where nobody has it open, SQLite would make files beside it even to read.
    is_at_rest = not any(os.path.exists(f"{path}{suffix}") for suffix in ("-wal", "-journal"))
    more = "&immutable=1" if is_at_rest else ""
    return sqlite3.connect(f"{read_only_uri(path)}{more}", uri=True, timeout=5.0)


def _look_at(connection: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    pragmas = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _PRAGMAS}
    told = ", ".join(f"{name} {value}" for name, value in pragmas.items())
    if os.path.getsize(path) and not has_our_schema(connection):
        yield warning(
            f"{path} is of another version than {SCHEMA_VERSION}, or not ours: {told}",
            "nothing: the next command that reads makes it anew from the log",
        )
        return
    yield ok(f"{path}: {told}")
    if pragmas["journal_mode"] == "wal" and is_shared(path.parent):
        yield warning(
            "the view is in WAL mode on a shared file system, where that corrupts",
            f"with no daemon running: delete {path}; it is made anew in the right mode",
        )
    yield _integrity(connection)


def _integrity(connection: sqlite3.Connection) -> Finding:
    found = check_integrity(connection, _CHECK_SECONDS)
    if found.ok is None:
        return note(
            f"its pages were checked for {_CHECK_SECONDS:g} seconds, and not all of them",
            "`telemetry status --integrity` takes the time for all",
        )
    if found.problems:
        return failure(f"its pages do not fit together: {found.problems[0]}", _REBUILD)
    return ok("its pages fit together")
