"""Open the database for a check, which must leave nothing behind.

Called by the checks. Even to read, SQLite would create files next to a database that nobody has
open.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from indexer.store.connection import read_only_uri
from indexer.store.sqlite_errors import translated


def open_without_trace(path: Path) -> sqlite3.Connection:
    """Open a database read-only, without creating a file. Raises sqlite3.Error."""
    is_at_rest = not any(os.path.exists(f"{path}{suffix}") for suffix in ("-wal", "-journal"))
    more = "&immutable=1" if is_at_rest else ""
    return sqlite3.connect(f"{read_only_uri(path)}{more}", uri=True, timeout=5.0)


@contextmanager
def reading_without_trace(path: Path) -> Iterator[sqlite3.Connection]:
    """Give such a connection for the length of a block, errors translated to ours."""
    with translated(path), closing(open_without_trace(path)) as connection:
        yield connection
