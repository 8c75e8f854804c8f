"""Append to this process's own daily segment what can't reach the shared one in time.

`raw/events_YYYYMMDD.<host>-<pid>.ndjson`. Called by the writer when the shared log is out of
reach. It takes no lock, so that nothing can make it wait: not a stopped holder, not a signal
handler that interrupted an append. Nor does it trust that its file stayed in place meanwhile.
"""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from telemetry_core.append_file import AppendFile
from telemetry_core.errors import AppendFailed

_ATTEMPTS = 3

_TURN: AbstractContextManager[Any] = threading.RLock() if os.name == "nt" else nullcontext()
"""Windows appends in two steps, a seek and a write: threads would overwrite each other's lines.
Reentrant, for a signal handler may log between a thread's two writes."""


class SpillFile:
    """Appends without a lock, each write beginning with a newline.

    Threads and signal handlers may write at once, and a write may be cut short: the newline
    keeps each event apart from whatever stands before it.
    """

    def __init__(self, directory: Path, host: str) -> None:
        self._directory = directory
        self._host = host

    def append(self, lines: bytes, day: str, sync: bool) -> None:
        """Put `lines` into this process's file. Raises AppendFailed or OSError."""
        path = self._directory / f"events_{day}.{self._host}-{os.getpid()}.ndjson"
        for _ in range(_ATTEMPTS):
            if self._append_to(path, b"\n" + lines, sync):
                return
        raise AppendFailed(f"{path} was moved away each time that it was written to")

    def _append_to(self, path: Path, data: bytes, sync: bool) -> bool:
        """Write, and return whether the file still was in its place after that.

        Archiving moves the file away first and reads it then. So what was written before is read,
        and what was written after has to be written again: twice in the log is once in the
        database.
        """
        # Opened each time: the case is rare, and no descriptor can be closed under a thread.
        file = AppendFile(path)
        try:
            self._write(file.fd, data)
            if sync:
                file.sync()
            return file.is_at_its_path()
        finally:
            file.close()

    def _write(self, fd: int, data: bytes) -> None:
        # What follows a short write may be another thread's: start over rather than go on.
        for _ in range(2):
            with _TURN:
                written = os.write(fd, data)
            if written == len(data):
                return
        raise AppendFailed("the write was cut short twice")
