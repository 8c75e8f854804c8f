"""Read a database in WAL mode where its shared-memory index cannot be created.

As on a read-only mount, or in a directory that only its owner may write to. Nobody can be writing
there through this kernel, or SQLite could have opened it in the usual way.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Optional


class _CopyConnection(sqlite3.Connection):
    """A connection to a private copy, which is deleted when it is closed."""

    directory: Optional[tempfile.TemporaryDirectory[str]] = None

    def close(self) -> None:
        super().close()
        if self.directory is not None:
            self.directory.cleanup()


def connect_without_shared_memory(path: Path, same_thread: bool) -> sqlite3.Connection:
    """Return a connection to a database that the usual way cannot open. Raises sqlite3.Error.

    Where the write-ahead log is empty the file itself is read. Otherwise a copy of both is, so
    that the last commits are seen too. Where there is no room for one, rows are as of the last
    checkpoint.
    """
    if os.path.exists(f"{path}-wal") and os.path.getsize(f"{path}-wal"):
        try:
            return _connect_to_copy(path, same_thread)
        except OSError:
            # No room, or the write-ahead log may not be read.
            pass
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=same_thread)


def _connect_to_copy(path: Path, same_thread: bool) -> sqlite3.Connection:
    directory = tempfile.TemporaryDirectory(prefix="telemetry-copy-")
    try:
        copy = Path(directory.name) / path.name
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
        connection = sqlite3.connect(
            copy, isolation_level=None, check_same_thread=same_thread, factory=_CopyConnection
        )
    except BaseException:
        directory.cleanup()
        raise
    connection.directory = directory
    return connection
