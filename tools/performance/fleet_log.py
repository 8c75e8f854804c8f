"""What the agents of a fleet write: runs of one host, or of two or three that have one in common.

Called by the simulation. Lines are filled into templates that the project's own encoder made:
ten million events are measured, and what writes them must not be what takes the time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from telemetry_core.event import RUN_ENDED, RUN_EVENT, RUN_STARTED, Event
from telemetry_core.line import encode

EVENTS_OF_RUN = 47
SEGMENT = "events_20261118.ndjson"
_SHARED = 0.08
_AGENTS = 50
_START = 1_795_000_000
_AT_ONCE = 100_000
"""Events in memory before they are written."""


class FleetLog:
    """The logs of all hosts, which agents append to."""

    def __init__(self, directories: Sequence[Path], chance: random.Random) -> None:
        self._directories = directories
        self._chance = chance
        self._events = 0

    def record(self, events: int) -> int:
        """Append about so many events, whole runs; return how many."""
        before = self._events
        runs = events // EVENTS_OF_RUN
        while runs:
            some = min(runs, _AT_ONCE // EVENTS_OF_RUN)
            self._append(some)
            runs -= some
        return self._events - before

    def _append(self, runs: int) -> None:
        written: dict[int, list[bytes]] = {}
        for _ in range(runs):
            lines = list(run_lines(self._events))
            self._events += len(lines)
            owners = self._owners()
            if len(owners) == 1:
                written.setdefault(owners[0], []).extend(lines)
                continue
            for line in lines:
                written.setdefault(self._chance.choice(owners), []).append(line)
        for number, lines in written.items():
            with open(self._directories[number] / SEGMENT, "ab") as file:
                file.write(b"".join(lines))

    def _owners(self) -> list[int]:
        some = 1 if self._chance.random() >= _SHARED else self._chance.choice((2, 3))
        hosts = len(self._directories)
        return self._chance.sample(range(hosts), min(some, hosts))


def run_lines(first: int) -> Iterator[bytes]:
    """Yield the lines of a run, of which the first event has the number after `first`."""
    run_id = b"run-%012x" % first
    for step, template in enumerate(_templates()):
        number = first + step + 1
        second, fraction = divmod(number * 200, 1_000_000)
        names = (number, number, run_id, _moment(second), fraction)
        yield template % ((*names, number % _AGENTS) if step == 0 else names)


@lru_cache(maxsize=1)
def _templates() -> list[bytes]:
    return [_template(step) for step in range(EVENTS_OF_RUN)]


def _template(step: int) -> bytes:
    kind = RUN_EVENT
    data: dict[str, Any] = {"event_type": "page", "payload": {"n": step, "url": "x" * 60}}
    if step == 0:
        kind, data = RUN_STARTED, {"agent_name": "agent%d"}
    elif step == EVENTS_OF_RUN - 1:
        kind, data = RUN_ENDED, {"status": "success", "items_succeeded": step}
    return encode(Event("%08x-0000-7000-8000-%012x", "host/1", kind, "%b", "%b.%06dZ", data))


@lru_cache(maxsize=2)
def _moment(second: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(_START + second)).encode()
