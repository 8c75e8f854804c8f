"""Create what is missing of a base: its directories, the database, and the schema as a file.

It changes nothing that exists, except for the one file that it generates.
"""

from __future__ import annotations

import errno
import os
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from indexer.database.opening import open_or_rebuild
from indexer.store.schema.script import schema_sql
from indexer.system.atomic_file import write_atomically
from indexer.system.base import ONE_PASS, Base
from telemetry_core.storage import make_directory

CREATED, UPDATED, PRESENT = "made", "updated", "present"


class InitStep(NamedTuple):
    """One directory or file of a base, and what was done about it."""

    name: str
    path: Path
    outcome: str
    """`made`, `updated`, or `present` where nothing had to be done."""


def create_directories(base: Base) -> list[InitStep]:
    """Create the directories that are missing. Raises OSError where one cannot be."""
    return [_make_directory(name, path) for name, path in base.config.directories().items()]


def init_base(base: Base) -> list[InitStep]:
    """Create everything that is missing of a base. Raises TelemetryError or OSError."""
    return [*create_directories(base), _create_database(base), _write_schema(base)]


def _make_directory(name: str, path: Path) -> InitStep:
    if path.is_dir():
        return InitStep(name, path, PRESENT)
    make_directory(path)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    return InitStep(name, path, CREATED)


def _create_database(base: Base) -> InitStep:
    path = base.database_path
    if path.exists():
        return InitStep("database file", path, PRESENT)
    with base.indexer_lease(ONE_PASS), closing(open_or_rebuild(base)):
        return InitStep("database file", path, CREATED)


def _write_schema(base: Base) -> InitStep:
    path = base.directory / "config" / "schema.sql"
    script = schema_sql().encode()
    existed = path.exists()
    if existed and path.read_bytes() == script:
        return InitStep("schema", path, PRESENT)
    write_atomically(path, script)
    return InitStep("schema", path, UPDATED if existed else CREATED)
