"""Let one writer at a time append to the shared log, by a sidecar file.

Called by the shared log for each append. It never locks the data itself (on Windows a locked
range blocks readers) and never waits longer than its budget.
"""

from __future__ import annotations

import errno
import sys
import time
from pathlib import Path
from typing import Optional

from telemetry_core.append_file import AppendFile
from telemetry_core.descriptor import Descriptor
from telemetry_core.errors import LockTimeout

LOCK_NAME = ".events.lock"

# Waiting starts shorter than an append takes and grows, so that a queue of writers stays
# busy and a long holder is not polled to death.
_FIRST_PAUSE = 0.000_05
_LONGEST_PAUSE = 0.002

if sys.platform != "win32":
    import fcntl

    # portalocker ends in this very call on POSIX, and the two exclude each other; calling it
    # directly keeps a 70 ms import out of the agent and several microseconds out of each append.
    def try_lock(fd: int) -> bool:
        """Take the exclusive lock on `fd` if nobody has it. Raises OSError."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise
        return True

    def unlock(fd: int) -> None:
        """Give the lock on `fd` back."""
        fcntl.flock(fd, fcntl.LOCK_UN)

else:
    import portalocker

    def try_lock(fd: int) -> bool:
        """Take the exclusive lock on `fd` if nobody has it. Raises OSError."""
        try:
            portalocker.lock(
                fd, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
            )
        except portalocker.LockException:
            return False
        return True

    def unlock(fd: int) -> None:
        """Give the lock on `fd` back."""
        portalocker.unlock(fd)


class SidecarLock:
    """An exclusive lock between processes, held on `path` through one descriptor.

    Not for threads: two threads of a process share the descriptor and so the lock. A forked
    child shares it too, and must call `forget` before anything else.
    """

    def __init__(self, path: Path, owners: Optional[list[Descriptor]] = None) -> None:
        """Lock by the file `path`; `owners` gets what keeps it open, as AppendFile says."""
        self._path = path
        self._owners = owners
        self._file: Optional[AppendFile] = None

    def acquire(self, budget: float) -> None:
        """Take the lock within `budget` seconds. Raises LockTimeout, AppendFailed or OSError."""
        if self._file is None or self._file.size() is None:
            # Deleted, or closed under us: then the number may be another file's, not ours to lock.
            self.forget()
            self._file = AppendFile(self._path, self._owners)
        if not try_lock(self._file.fd) and not self._wait(self._file.fd, budget):
            raise LockTimeout(f"{self._path} was held for more than {budget * 1000:.0f} ms")

    @staticmethod
    def _wait(fd: int, budget: float) -> bool:
        """Try again and again for `budget` seconds; return whether the lock was had.

        The clock may stand still, as in tests that freeze time: each pause counts at least as
        long as it was meant to be.
        """
        left, pause = budget, _FIRST_PAUSE
        while left > 0:
            before = time.monotonic()
            time.sleep(min(pause, left))
            if try_lock(fd):
                return True
            left -= max(pause, time.monotonic() - before)
            pause = min(pause * 2, _LONGEST_PAUSE)
        return False

    def release(self) -> None:
        """Let the next writer in. Raises OSError."""
        if self._file is not None:
            unlock(self._file.fd)

    @property
    def identity(self) -> Optional[tuple[int, int, int]]:
        """The descriptor, device and inode of the file that is locked; None if it is not open."""
        return None if self._file is None else self._file.identity

    def is_current(self) -> bool:
        """Whether the file locked is still the one that others would lock."""
        return self._file is not None and self._file.is_at_its_path()

    def forget(self) -> None:
        """Close the descriptor; the next acquire opens the path again."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
