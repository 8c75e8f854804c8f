"""Store the lines that could not be parsed, each with its reason, in `quarantine`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

EXCERPT_BYTES = 200


class Fault(NamedTuple):
    """A line that could not be parsed as an event."""

    offset: int
    length: int
    reason: str
    content: bytes


def quarantine(connection: sqlite3.Connection, name: str, faults: Iterable[Fault]) -> None:
    """Record lines that could not be parsed, each with its reason and its first bytes."""
    connection.executemany(
        "INSERT OR REPLACE INTO quarantine (file, offset, length, reason, excerpt)"
        " VALUES (?, ?, ?, ?, ?)",
        (
            (name, offset, length, reason, content[:EXCERPT_BYTES].decode("utf-8", "replace"))
            for offset, length, reason, content in faults
        ),
    )
