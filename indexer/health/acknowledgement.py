"""Remember up to where somebody has looked at the quarantined lines.

Used by `telemetry quarantine`, and by the health, which counts the others. It is kept in a small
file under `config/`: the database is disposable, and the log does not contain it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import orjson

from indexer.health.model import QuarantinedLine
from indexer.system.atomic_file import write_atomically
from indexer.system.base import Base
from telemetry_core.storage import make_directory

_COMPRESSED = re.compile(r"\.(gz|zst)$")


def acknowledgement_path(base: Base) -> Path:
    """Return the file that has the acknowledgements."""
    return base.directory / "config" / "quarantine.json"


def load(base: Base) -> dict[str, int]:
    """Return the offset of the last acknowledged line of each segment; empty if unreadable.

    Losing the file costs somebody a second look, and nothing else.
    """
    try:
        offsets = orjson.loads(acknowledgement_path(base).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return offsets if isinstance(offsets, dict) else {}


def is_new(seen: dict[str, int], file: str, offset: int) -> bool:
    """Return whether a quarantined line has not been acknowledged."""
    last = seen.get(_plain_name(file))
    return not isinstance(last, int) or offset > last


def new_lines(connection: sqlite3.Connection, seen: dict[str, int]) -> Iterator[QuarantinedLine]:
    """Yield the quarantined lines that are not acknowledged, the latest first."""
    for line in all_lines(connection):
        if is_new(seen, line.file, line.offset):
            yield line


def all_lines(connection: sqlite3.Connection) -> Iterator[QuarantinedLine]:
    """Yield every quarantined line, the latest first."""
    rows = connection.execute(
        "SELECT file, offset, length, reason, excerpt FROM quarantine"
        " ORDER BY file DESC, offset DESC"
    )
    for row in rows:
        yield QuarantinedLine(*row)


def acknowledge(base: Base, connection: sqlite3.Connection) -> None:
    """Acknowledge all quarantined lines that there are now. Raises OSError."""
    seen = load(base)
    for file, offset in connection.execute(
        "SELECT file, max(offset) FROM quarantine GROUP BY file"
    ):
        if is_new(seen, file, offset):
            seen[_plain_name(file)] = offset
    path = acknowledgement_path(base)
    make_directory(path.parent)
    write_atomically(path, orjson.dumps(seen, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))


def _plain_name(file: str) -> str:
    # Offsets count decompressed bytes, so they stay the same once the segment is compressed.
    return _COMPRESSED.sub("", file)
