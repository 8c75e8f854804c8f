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

    @property
    def excerpt(self) -> str:
        """What is kept of the line: its first bytes, as text."""
        return self.content[:EXCERPT_BYTES].decode("utf-8", "replace")


def quarantine(connection: sqlite3.Connection, name: str, faults: Iterable[Fault]) -> None:
    """Record lines that could not be parsed, each with its reason and its first bytes."""
    connection.executemany(
        "INSERT OR REPLACE INTO quarantine (file, offset, length, reason, excerpt)"
        " VALUES (?, ?, ?, ?, ?)",
        ((name, one.offset, one.length, one.reason, one.excerpt) for one in faults),
    )
