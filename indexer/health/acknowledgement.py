"""The acknowledgement: up to which quarantined lines somebody has looked.

Called by `telemetry quarantine` and by the status, which counts the others. It is kept in a small
file under `config/`, for the view is disposable and this can't be had from the log.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from indexer.system.atomic_file import write_atomically
from indexer.system.base import Base
from telemetry_core.storage import make_directory

_COMPRESSED = re.compile(r"\.(gz|zst)$")


def acknowledgement_path(base: Base) -> Path:
    """Return where it is kept."""
    return base.directory / "config" / "quarantine.json"


def load(base: Base) -> dict[str, int]:
    """Return the offset of the last line that was looked at in each file; empty if unreadable.

    Losing it costs somebody a second look, and nothing else.
    """
    try:
        offsets = orjson.loads(acknowledgement_path(base).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return offsets if isinstance(offsets, dict) else {}


def is_new(seen: dict[str, int], file: str, offset: int) -> bool:
    """Whether a quarantined line is one that nobody has looked at."""
    last = seen.get(_plain_name(file))
    return not isinstance(last, int) or offset > last


def new_lines(connection: sqlite3.Connection, seen: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Yield the quarantined lines that nobody has looked at, the latest first."""
    for line in all_lines(connection):
        if is_new(seen, line["file"], line["offset"]):
            yield line


def all_lines(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Yield every quarantined line, the latest first."""
    names = ("file", "offset", "length", "reason", "excerpt")
    rows = connection.execute(
        f"SELECT {', '.join(names)} FROM quarantine ORDER BY file DESC, offset DESC"
    )
    for row in rows:
        yield dict(zip(names, row))


def acknowledge(base: Base, connection: sqlite3.Connection) -> None:
    """Remember that somebody has looked at all there is now. Raises OSError."""
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
    # Offsets count plain bytes, so they mean the same once the file is compressed.
    return _COMPRESSED.sub("", file)
