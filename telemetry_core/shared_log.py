"""The shared log: the daily file that all processes append to, one at a time.

`raw/events_YYYYMMDD.ndjson`. Called by the writer, from one thread at a time. It never waits
for the lock beyond its budget and never leaves its event behind another's torn fragment.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Optional

from telemetry_core.errors import AppendFailed, LockTimeout
from telemetry_core.lock import LOCK_NAME, SidecarLock
from telemetry_core.log_file import LogFile, write_whole

_PATH_CHECK_SECONDS = 1.0


class SharedLog:
    """Appends under the sidecar lock; opens, reopens and changes files by itself."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = SidecarLock(directory / LOCK_NAME)
        self._file: Optional[LogFile] = None
        self._day = ""
        self._known_end = -1
        self._size_seen: Optional[int] = None
        self._next_path_check = 0.0

    def append(self, lines: bytes, day: str, budget: float, sync: bool) -> None:
        """Put `lines` at the end of the day's file; on return the kernel has every byte.

        A tail that somebody left without its newline is sealed in the same write. With `sync`
        the disk has the bytes too. Raises AppendFailed, LockTimeout or OSError; part of the
        lines may then stand unsealed at the end, and the caller writes them all elsewhere.
        """
        try:
            self._lock.acquire(budget)
            file = self._append_locked(lines, day)
            self._lock.release()
        except LockTimeout as timeout:
            timeout.is_stuck = not self._has_grown()
            raise
        except BaseException:
            # An error, or a signal handler that raised at any point of the above: closing gives
            # the lock back, and the next append trusts nothing that it finds.
            self.forget()
            raise
        if sync:
            file.sync()

    def _has_grown(self) -> bool:
        """Whether others wrote since this was last known: then the lock is busy, not stuck."""
        size = self._file.size() if self._file is not None else None
        before, self._size_seen = self._size_seen, size
        return size is not None and size != before

    def _append_locked(self, lines: bytes, day: str) -> LogFile:
        file, size = self._file, None
        if file is not None and day == self._day and not self._path_check_fails():
            size = file.size()
        if file is None or size is None:
            file, size = self._open(day)
        if size != self._known_end and not file.ends_line(size):
            lines = b"\n" + lines
        write_whole(file.fd, lines)
        self._known_end = self._size_seen = size + len(lines)
        return file

    def _path_check_fails(self) -> bool:
        """Whether file or lock were moved away; asked only now and then, for it is dear."""
        now = time.monotonic()
        if now < self._next_path_check:
            return False
        self._next_path_check = now + _PATH_CHECK_SECONDS
        return self._file is None or not (self._file.is_at_its_path() and self._lock.is_current())

    def _open(self, day: str) -> tuple[LogFile, int]:
        """Open the day's file, with its size; what was open before won't do."""
        self._close_file()
        file = self._file = LogFile(self._directory / f"events_{day}.ndjson")
        self._day = day
        size = file.size()
        if size is None or not self._lock.is_current():
            raise AppendFailed(f"{self._directory} was replaced while it was written to")
        return file, size

    def _close_file(self) -> None:
        file, self._file = self._file, None
        self._known_end = -1
        if file is not None:
            file.close()

    def forget(self) -> None:
        """Close every descriptor; the next append opens them anew. A forked child must."""
        self._lock.forget()
        self._close_file()
