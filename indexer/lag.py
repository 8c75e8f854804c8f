"""The lag: how much of the log the view has not got yet.

Called by the daemon for its status and by readers that wait for it. It compares sizes and
reads no file.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from indexer.cursors import all_cursors
from indexer.log_files import list_log_files
from indexer.reading import is_unchanged


def lag_bytes(connection: sqlite3.Connection, log_directory: Path) -> int:
    """Return how many bytes of the log stand after the cursors, incomplete last lines included."""
    known = all_cursors(connection)
    lag = 0
    for file in list_log_files(log_directory):
        cursor = known.get(file.name)
        if cursor is None:
            lag += file.size
        elif file.is_compressed:
            lag += 0 if is_unchanged(file, cursor) else file.size
        else:
            lag += max(0, file.size - cursor.offset)
    return lag


def is_caught_up(connection: sqlite3.Connection, log_directory: Path) -> bool:
    """Whether every file was read to the end that it has now."""
    known = all_cursors(connection)
    return all(is_unchanged(file, known.get(file.name)) for file in list_log_files(log_directory))
