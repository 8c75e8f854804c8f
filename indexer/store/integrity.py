"""Check the integrity of the database file.

SQLite's quick check reads the whole file, so it may take minutes, or stops when its time
is up. It repairs nothing.
"""

from __future__ import annotations

import sqlite3
import time
from typing import NamedTuple, Optional

_STEPS_BETWEEN_LOOKS = 10_000
_SHOWN = 5


class Integrity(NamedTuple):
    """What a check found."""

    ok: Optional[bool]
    """None if the time was up before anything was found."""
    problems: list[str]
    seconds: float


def check_integrity(connection: sqlite3.Connection, seconds: float = float("inf")) -> Integrity:
    """Check the pages of the database, for at most `seconds`. Raises sqlite3.Error."""
    began = time.monotonic()
    connection.set_progress_handler(
        lambda: int(time.monotonic() - began > seconds), _STEPS_BETWEEN_LOOKS
    )
    try:
        rows = connection.execute(f"PRAGMA quick_check({_SHOWN})").fetchall()
    except sqlite3.OperationalError as error:
        if str(error) != "interrupted":
            raise
        return Integrity(None, [], time.monotonic() - began)
    finally:
        connection.set_progress_handler(None, 0)
    problems = [row[0] for row in rows if row[0] != "ok"]
    return Integrity(not problems, problems, time.monotonic() - began)
