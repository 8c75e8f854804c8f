"""Give one process at a time a role, and let the others know which.

A lease is a lock on a file of its own, so it ends with the process, however that ends. A holder
with a purpose leaves a note that says which process it is.
"""

from __future__ import annotations

import os
import time
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Optional

import orjson

from indexer.errors import AlreadyRunning
from indexer.system.atomic_file import write_atomically
from indexer.system.file_changes import delete
from telemetry_core.append_file import AppendFile
from telemetry_core.clock import CLOCK
from telemetry_core.lock import try_lock, unlock
from telemetry_core.process import host_name, own_start, process_is_gone

PAUSE_SECONDS = 0.01
"""How often a waiting process looks whether a lease is free."""


class Lease:
    """An exclusive role, as a context manager. Entering raises AlreadyRunning or OSError."""

    def __init__(
        self, path: Path, purpose: str = "", patience: float = 0.0, never_wait_for: str = ""
    ) -> None:
        """Hold `path`; wait up to `patience` seconds for another holder.

        A holder whose purpose is `never_wait_for` keeps it, and is not waited for. Without a
        purpose of its own a holder leaves no note: for a lease taken often, and briefly.
        """
        self._path = path
        self._note = path.with_suffix(".json")
        self._waiting = path.with_suffix(".waiting")
        self._purpose = purpose
        self._patience = patience
        self._never_wait_for = never_wait_for
        self._file: Optional[AppendFile] = None

    def __enter__(self) -> Lease:
        deadline = time.monotonic() + self._patience
        file = self._lock(deadline)
        # A command that deletes `db/` deletes the lock file as well, perhaps just before it was
        # locked: then it keeps nothing out.
        while not file.is_at_its_path():
            file.close()
            file = self._lock(deadline)
        try:
            if self._purpose:
                self._write_note()
        except BaseException:
            # `__exit__` is not called for what was not entered: the lock would stay held.
            file.close()
            raise
        self._file = file
        return self

    def _lock(self, deadline: float) -> AppendFile:
        file = AppendFile(self._path)
        while not try_lock(file.fd):
            if time.monotonic() >= deadline or self._is_not_waited_for():
                file.close()
                raise AlreadyRunning(f"{_describe(self.holder())} holds {self._path}")
            self._wait_a_moment()
        return file

    def _wait_a_moment(self) -> None:
        """Sleep, and let the holder see meanwhile that somebody waits."""
        # Opened each time: killed or deleted, it leaves nothing that would have to be repaired.
        with closing(AppendFile(self._waiting)) as mark:
            # Where another process waits already, its mark serves for both.
            try_lock(mark.fd)
            time.sleep(PAUSE_SECONDS)

    def is_wanted(self) -> bool:
        """Whether a process waits for it now: a holder that takes it often then leaves a gap."""
        if not self._waiting.exists():
            return False
        with closing(AppendFile(self._waiting)) as mark:
            return not try_lock(mark.fd)

    def renew(self) -> None:
        """Take the lease again if its file was deleted, for then another process may have it.

        Raises AlreadyRunning if one has, or OSError.
        """
        if self._file is not None and self._file.is_at_its_path():
            return
        file, self._file = self._file, None
        if file is not None:
            file.close()
        self.__enter__()

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if self._file is not None:
            if self._purpose:
                with suppress(OSError):
                    # Held open by a reader: then it is the note of a process that ended.
                    delete(self._note)
            unlock(self._file.fd)
            self._file.close()
            self._file = None

    def holder(self) -> dict[str, Any]:
        """Return the holder's note: pid, host, purpose, since; empty if unknown."""
        try:
            note = orjson.loads(self._note.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}
        return note if isinstance(note, dict) else {}

    def _is_not_waited_for(self) -> bool:
        holder = self.holder()
        return (
            bool(self._never_wait_for)
            and holder.get("purpose") == self._never_wait_for
            # A killed one leaves its note behind, until the next holder replaces it.
            and not is_gone(holder)
        )

    def _write_note(self) -> None:
        note = {
            "pid": os.getpid(),
            "host": host_name(),
            "process_start": own_start(os.getpid()),
            "purpose": self._purpose,
            "since": CLOCK.tick().time,
        }
        # It says which process holds the lease now: after a power cut none does.
        write_atomically(self._note, orjson.dumps(note), durable=False)


def is_gone(holder: dict[str, Any]) -> bool:
    """Whether a holder was killed and only its note is left, as far as this process can see."""
    pid = holder.get("pid")
    if holder.get("host") != host_name() or not isinstance(pid, int):
        return False
    return process_is_gone(pid, holder.get("process_start"))


def _describe(holder: dict[str, Any]) -> str:
    if not holder:
        return "another process"
    return (
        f"process {holder.get('pid')} on {holder.get('host')}"
        f" ({holder.get('purpose')}, since {holder.get('since')})"
    )
