"""The least that an append could cost in Python, as prototypes that keep no promise.

Called by the sections on appending. `BareAppend` makes the same line, takes the same lock and
writes once. `CarefulAppend` adds what no append between threads, forks and midnights can go
without. Neither survives a torn tail, a held lock, a signal handler, a value that is no JSON, or
a deleted file: what we cost beyond them is the price of the promises.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import threading
import time
from pathlib import Path
from typing import Any

import orjson

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class BareAppend:
    """Build, encode, lock, write, unlock. Prototype `d`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._lock = os.open(directory / ".lock", _APPEND, 0o600)
        self._source = f"{os.uname().nodename}/{os.getpid()}"
        self._counter = itertools.count()
        self._random = os.urandom(6).hex()
        self._second, self._text, self._day = -1, "", ""
        self._fd = os.open(directory / "events.ndjson", _APPEND, 0o600)

    def _line(self, run_id: str, event_type: str, payload: Any) -> bytes:
        micros = time.time_ns() // 1000
        second = micros // 1_000_000
        if second != self._second:
            moment = time.gmtime(second)
            self._second, self._text = second, time.strftime("%Y-%m-%dT%H:%M:%S", moment)
            self._day = time.strftime("%Y%m%d", moment)
        hexed = f"{micros // 1000:012x}"
        place = next(self._counter) & 0xFFF
        event = {
            "specversion": "1.0",
            "id": f"{hexed[:8]}-{hexed[8:]}-7{place:03x}-8{place:03x}-{self._random}",
            "source": self._source,
            "type": "run.event",
            "subject": run_id,
            "time": f"{self._text}.{micros % 1_000_000:06d}Z",
            "data": {"event_type": event_type, "payload": payload},
        }
        return orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)

    def log_event(self, run_id: str, event_type: str, payload: Any = None) -> None:
        """Append one event."""
        line = self._line(run_id, event_type, payload)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.write(self._fd, line)
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the files."""
        os.close(self._fd)
        os.close(self._lock)


class CarefulAppend(BareAppend):
    """The same with a lock for threads, and a look at short writes, day and pid. `d3`."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._mutex = threading.Lock()
        self._pid = os.getpid()
        self._open_day = ""

    def log_event(self, run_id: str, event_type: str, payload: Any = None) -> None:
        """Append one event."""
        line = self._line(run_id, event_type, payload)
        with self._mutex:
            if os.getpid() != self._pid:
                raise RuntimeError("a forked child shares the lock")
            if self._day != self._open_day:
                self._open()
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            try:
                if os.write(self._fd, line) != len(line):
                    raise OSError("short write")
            finally:
                fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _open(self) -> None:
        os.close(self._fd)
        path = self._directory / f"events_{self._day}.ndjson"
        self._fd = os.open(path, _APPEND, 0o600)
        self._open_day = self._day
