"""Append to the daily file that all processes share, one at a time.

`raw/events_YYYYMMDD.ndjson`. Called by the writer, from one thread at a time. It never waits
for the lock beyond its budget and never leaves its event behind another's torn fragment.
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Optional

from telemetry_core.append_file import AppendFile, write_whole
from telemetry_core.descriptor import Descriptor
from telemetry_core.errors import AppendFailed, LockTimeout
from telemetry_core.fast_append import FastAppend, Turn
from telemetry_core.lock import LOCK_NAME, SidecarLock

_PATH_CHECK_SECONDS = 1.0
_PATH_CHECK_APPENDS = 10_000
_MOST_WRITES = 10


class SharedLog:
    """Appends under the sidecar lock; opens, reopens and changes files by itself."""

    def __init__(self, directory: Path, fast: Optional[FastAppend] = None) -> None:
        """Append in `directory`; what is open may be handed to `fast` between two appends."""
        self._directory = directory
        self._fast = fast
        self._owners: list[Descriptor] = []
        self._lock = SidecarLock(directory / LOCK_NAME, self._owners)
        self._file: Optional[AppendFile] = None
        self._day = ""
        self._known_end = -1
        self._size_seen: Optional[int] = None
        self._path_checked_at = -math.inf
        self._appends_unchecked = 0

    def append(
        self, lines: bytes, day: str, budget: float, sync: bool, *, hand_over: bool = False
    ) -> None:
        """Put `lines` at the end of the day's file; on return the kernel has every byte.

        A tail that somebody left without its newline is sealed in the same write, also one that
        a program without the lock left just now. With `sync` the disk has the bytes too. Raises
        AppendFailed, LockTimeout or OSError; part of the lines may then stand unsealed at the
        end, and the caller writes them all elsewhere. With `hand_over` the extension may make the
        next appends.
        """
        fast = self._fast
        if fast is not None:
            self._take_over(fast)
        try:
            self._lock.acquire(budget)
            file = self._append_locked(lines, day)
            self._lock.release()
        except LockTimeout as timeout:
            timeout.is_stuck = not self._has_grown()
            raise
        except:  # a name to match would be a step before the next one
            # An error, or a signal handler that raised at any point of the above. This one step
            # closes all and so gives the lock back; the next append trusts nothing that it finds.
            self._owners.clear()
            raise
        if hand_over and fast is not None:
            self._hand_over(fast, file, day)
        if sync:
            file.sync()

    def _take_over(self, fast: FastAppend) -> None:
        """Go on where the extension has stopped."""
        done = fast.take_over()
        if done.appends:
            self._appends_unchecked += done.appends
            self._known_end = done.end
            self._size_seen = self._size_seen if done.end < 0 else done.end

    def _hand_over(self, fast: FastAppend, file: AppendFile, day: str) -> None:
        """Let the extension go on, until the paths are to be looked at again."""
        lock = self._lock.identity
        if lock is not None:
            seconds = _PATH_CHECK_SECONDS - (time.monotonic() - self._path_checked_at)
            turn = Turn(seconds, _PATH_CHECK_APPENDS - self._appends_unchecked)
            fast.hand_over(lock, file, day, self._known_end, turn)

    def _has_grown(self) -> bool:
        """Whether others wrote since this was last known: then the lock is busy, not stuck."""
        size = self._file.size() if self._file is not None else None
        before, self._size_seen = self._size_seen, size
        return size is not None and size != before

    def _append_locked(self, lines: bytes, day: str) -> AppendFile:
        file, size = self._file, None
        if file is not None and day == self._day and not self._path_check_fails():
            size = file.size()
        if file is None or size is None:
            file, size = self._open(day)
        if size != self._known_end and not file.ends_line(size):
            lines = b"\n" + lines
        is_whole = write_whole(file.fd, lines)
        end = os.lseek(file.fd, 0, os.SEEK_CUR)
        if end != size + len(lines):
            end = self._written_whole(file, lines, end, is_whole=is_whole)
        self._known_end = self._size_seen = end
        return file

    @staticmethod
    def _written_whole(file: AppendFile, lines: bytes, end: int, *, is_whole: bool) -> int:
        """Return where lines end that are whole, having written them again if need be.

        They ended at `end`, and not where they should have. A program that ignores the lock may
        have left a fragment just before them, which took the first line with it: then they are
        written again, sealed. Twice in the log is once in the database.
        """
        for _ in range(_MOST_WRITES):
            # Of lines that took several writes, something may be in the middle.
            if is_whole and file.ends_line(end - len(lines)):
                return end
            lines = b"\n" + lines.lstrip(b"\n")
            is_whole = write_whole(file.fd, lines)
            end = os.lseek(file.fd, 0, os.SEEK_CUR)
        raise AppendFailed(f"a program that ignores the lock keeps tearing lines of {file.path}")

    def _path_check_fails(self) -> bool:
        """Whether file or lock were moved away; asked only now and then, for it takes long.

        The clock may stand still or step back: then the number of appends decides.
        """
        now = time.monotonic()
        self._appends_unchecked += 1
        is_recent = 0.0 <= now - self._path_checked_at < _PATH_CHECK_SECONDS
        if is_recent and self._appends_unchecked < _PATH_CHECK_APPENDS:
            return False
        self._path_checked_at, self._appends_unchecked = now, 0
        return self._file is None or not (self._file.is_at_its_path() and self._lock.is_current())

    def _open(self, day: str) -> tuple[AppendFile, int]:
        """Open the day's file, with its size; what was open before won't do."""
        self._close_file()
        path = self._directory / f"events_{day}.ndjson"
        file = self._file = AppendFile(path, self._owners)
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
        """Close every descriptor; the next append opens them again. A forked child must."""
        try:
            if self._fast is not None:
                self._take_over(self._fast)
            self._lock.forget()
            self._close_file()
        finally:
            self._owners.clear()
