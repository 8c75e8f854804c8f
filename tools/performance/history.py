"""Logs of the shapes that fleets of agents write, always the same ones.

Called by the sections that read logs. Each event has an id and a time of its own, rising from
line to line, as from one clock.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from telemetry_core.event import RUN_ENDED, RUN_EVENT, RUN_STARTED, Event
from telemetry_core.line import encode
from tools.performance.workload import payloads

_START = 1_795_000_000_000_000
"""When the first event is, in microseconds since 1970."""
_AGENTS = 50
_AT_HAND = 2_000


class Shape(NamedTuple):
    """What kind of log."""

    name: str
    events_of_run: int
    at_once: int
    """How many runs go on at the same time, their events taking turns."""
    payload: int = 100
    """Bytes of each event's payload."""
    late: float = 0.0
    """The share of events that come out of their order, by up to two thousand lines."""
    repeated: float = 0.0
    """The share of events that are in the log twice."""


SHAPES = (
    Shape("4,000 runs at once", 50, 4_000),
    Shape("200 runs at once", 50, 200),
    Shape("tiny runs", 3, 20),
    Shape("one giant run", 10**9, 1),
    Shape("late and repeated", 50, 200, late=0.05, repeated=0.02),
    Shape("payloads of 4 KB", 20, 50, payload=4_000),
)


def write(path: Path, shape: Shape, events: int, first: int = 0) -> int:
    """Write a log file; return its bytes. `first` is the number of its first event, for more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = lines_of(shape, events, first)
    if shape.late or shape.repeated:
        lines = _disturbed(lines, shape)
    with path.open("wb") as file:
        return sum(file.write(line) for line in lines)


def lines_of(shape: Shape, events: int, first: int = 0) -> Iterator[bytes]:
    """Yield the lines of a log in their order."""
    made = payloads(shape.payload)
    for number in range(first, first + events):
        yield encode(_event(shape, number, made[number % len(made)]))


def _event(shape: Shape, number: int, payload: Any) -> Event:
    crowd, place = divmod(number, shape.at_once * shape.events_of_run)
    step, seat = divmod(place, shape.at_once)
    started = crowd * shape.at_once * shape.events_of_run + seat
    run_id = f"{_second(started)}-agent{seat % _AGENTS}-{started:024x}"
    moment = _time(number)
    event_id = f"{number:08x}-0000-7000-8000-{number:012x}"
    if step == 0:
        data: dict[str, Any] = {
            "agent_name": f"agent{seat % _AGENTS}",
            "job_type": "crawl",
            "host": "host",
        }
        return Event(event_id, "host/1234", RUN_STARTED, run_id, moment, data)
    if step == shape.events_of_run - 1:
        data = {"status": "success", "items_succeeded": step, "duration_ms": step * 7}
        return Event(event_id, "host/1234", RUN_ENDED, run_id, moment, data)
    data = {"event_type": "page_fetched", "payload": payload}
    return Event(event_id, "host/1234", RUN_EVENT, run_id, moment, data)


def _disturbed(lines: Iterator[bytes], shape: Shape) -> Iterator[bytes]:
    chance = random.Random(shape.name)  # noqa: S311  # the same log each time
    # Some at a time: a child's memory is counted from what its parent had.
    while some := list(islice(lines, _AT_HAND)):
        for place in range(len(some)):
            if chance.random() < shape.late:
                other = chance.randrange(len(some))
                some[place], some[other] = some[other], some[place]
        for place, line in enumerate(some):
            yield line
            if chance.random() < shape.repeated:
                yield some[chance.randrange(place + 1)]


def _time(number: int) -> str:
    second, fraction = divmod(_START + number * 200, 1_000_000)
    return f"{_calendar(second)}.{fraction:06d}Z"


def _second(number: int) -> str:
    text = _calendar((_START + number * 200) // 1_000_000)
    return f"{text[0:4]}{text[5:7]}{text[8:13]}{text[14:16]}{text[17:19]}Z"


@lru_cache(maxsize=2)
def _calendar(second: int) -> str:
    return datetime.fromtimestamp(second, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
