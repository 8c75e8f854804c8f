"""Measure `log_event` on Windows, against the least that an append under a lock can cost.

Run by the Windows interpreter: `python tools/windows --speed`. The floor is one line built by
orjson, `LockFileEx` through portalocker, one write, and the unlocking. Both take turns.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable

import orjson
import portalocker

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from telemetry_core import TelemetryClient, TelemetryConfig

_TURNS = 15
_CALLS = 200
_PAYLOAD = {"text": "x" * 180}
_LOCK = portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING


def main() -> None:
    """Measure, and print microseconds a call and the median of the turns' ratios."""
    with tempfile.TemporaryDirectory() as directory:
        client = TelemetryClient(TelemetryConfig.for_base(Path(directory) / "base"))
        floor = _Floor(Path(directory))
        costs = []
        for _ in range(_TURNS):
            ours = _microseconds(lambda: client.log_event("run", "event", _PAYLOAD))
            costs.append((ours, _microseconds(floor.append)))
        client.close()
        floor.close()
    ours, least = (statistics.median(column) for column in zip(*costs))
    ratio = statistics.median(one / other for one, other in costs)
    print(f"log_event {ours:.0f} us, floor {least:.0f} us, ratio {ratio:.2f}")


class _Floor:
    """The least: a line, a lock, a write."""

    def __init__(self, directory: Path) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._lock = os.open(directory / "lock", flags)
        self._log = os.open(directory / "log", flags)

    def append(self) -> None:
        """Append one line."""
        line = orjson.dumps({"type": "run.event", "data": _PAYLOAD}) + b"\n"
        portalocker.lock(self._lock, _LOCK)
        os.write(self._log, line)
        portalocker.unlock(self._lock)

    def close(self) -> None:
        """Close both files."""
        os.close(self._lock)
        os.close(self._log)


def _microseconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(_CALLS):
        call()
    return (time.perf_counter() - started) / _CALLS * 1e6


if __name__ == "__main__":
    main()
