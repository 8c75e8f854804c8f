"""The tree: every directory of a base, the view, and the schema in words; made where missing.

Called by `telemetry init` and by whoever installs a service. It changes nothing that is there,
but for the one file that it generates.
"""

from __future__ import annotations

import errno
import os
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from indexer.database.leases import ONE_PASS, indexer_lease
from indexer.database.session import View
from indexer.store.schema import schema_sql
from indexer.system.atomic_file import write_whole_file
from telemetry_core.config import TelemetryConfig
from telemetry_core.storage import make_directory

MADE, UPDATED, PRESENT = "made", "updated", "present"


class Place(NamedTuple):
    """One directory or file of a base, and what became of it."""

    name: str
    path: Path
    outcome: str
    """`made`, `updated`, or `present` where nothing was to be done."""


def make_directories(config: TelemetryConfig) -> list[Place]:
    """Make the directories that are missing. Raises OSError where one can't be."""
    return [_make_directory(name, path) for name, path in config.directories().items()]


def make_tree(config: TelemetryConfig) -> list[Place]:
    """Make all that is missing of a base. Raises TelemetryError or OSError."""
    return [*make_directories(config), _make_view(config), _write_schema(config)]


def _make_directory(name: str, path: Path) -> Place:
    if path.is_dir():
        return Place(name, path, PRESENT)
    make_directory(path)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    return Place(name, path, MADE)


def _make_view(config: TelemetryConfig) -> Place:
    path = config.database_path
    if path.exists():
        return Place("view", path, PRESENT)
    with indexer_lease(config, ONE_PASS), closing(View(config)):
        return Place("view", path, MADE)


def _write_schema(config: TelemetryConfig) -> Place:
    path = config.metrics_dir / "config" / "schema.sql"
    script = schema_sql().encode()
    existed = path.exists()
    if existed and path.read_bytes() == script:
        return Place("schema", path, PRESENT)
    write_whole_file(path, script)
    return Place("schema", path, UPDATED if existed else MADE)
