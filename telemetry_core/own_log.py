"""The own log: this process's own daily file, for what can't reach the shared one in time.

`raw/events_YYYYMMDD.<host>-<pid>.ndjson`. Called by the writer when the shared log is out of
reach. It takes no lock, so that nothing can make it wait: not a stopped holder, not a signal
handler that interrupted an append.
"""

from __future__ import annotations

import os
from pathlib import Path

from telemetry_core.errors import AppendFailed
from telemetry_core.log_file import LogFile


class OwnLog:
    """Appends without a lock, each write beginning with a newline.

    Threads and signal handlers may write at once, and a write may be cut short: the newline
    keeps each event apart from whatever stands before it.
    """

    def __init__(self, directory: Path, host: str) -> None:
        self._directory = directory
        self._host = host

    def append(self, lines: bytes, day: str, sync: bool) -> None:
        """Put `lines` into this process's file. Raises AppendFailed or OSError."""
        # Opened each time: the case is rare, and no descriptor can be closed under a thread.
        file = LogFile(self._directory / f"events_{day}.{self._host}-{os.getpid()}.ndjson")
        try:
            self._write(file.fd, b"\n" + lines)
            if sync:
                file.sync()
        finally:
            file.close()

    def _write(self, fd: int, data: bytes) -> None:
        # What follows a short write may be another thread's: start over rather than go on.
        for _ in range(2):
            if os.write(fd, data) == len(data):
                return
        raise AppendFailed("the write was cut short twice")
