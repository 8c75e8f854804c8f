"""Appending in one thread: one event, a batch, a whole run, a synced event, and the tail.

By the extension in C where it is there, and beside it by the code in Python alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Callable, NamedTuple, Optional

from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.speed import WHY_PURE
from tools.performance.appending import BATCH, CALLS, Blocks, blocks, calls_of, in_python, logging
from tools.performance.figure import Figure, Goal, compared, percentile
from tools.performance.floors import BareAppend, CarefulAppend
from tools.performance.goals import IN_PYTHON
from tools.performance.section import Bench, Section
from tools.performance.turns import block, by_turns, each
from tools.performance.workload import SIZES

_ROUNDS = 200
_US = 1e6

_Named = Callable[[str], Callable[[], float]]


class _Row(NamedTuple):
    """One block of ours, and what it is compared with."""

    name: str
    block: str
    floor_name: str
    floor: Callable[[], float]
    goal: Goal
    rounds: int = _ROUNDS
    pure_floor: Optional[str] = None
    """The block that is the floor where it is one of ours."""


def _run(bench: Bench) -> Iterator[Figure]:
    client = TelemetryClient(TelemetryConfig.for_base(bench.directory / "one", {}))
    bare, careful = BareAppend(bench.directory / "d"), CarefulAppend(bench.directory / "d3")
    ours = blocks(bench.directory / "compiled")
    with in_python(bench.directory / "python") as pure:
        for row in _rows(bench, ours, bare, careful):
            yield from _both_ways(bench, row, ours, pure)
    yield _tail(bench, client, careful)
    yield _start_and_end(bench, client)
    bare.close()
    careful.close()


def _rows(bench: Bench, ours: Blocks, bare: BareAppend, careful: CarefulAppend) -> Iterator[_Row]:
    for size in SIZES:
        floor = block(logging(careful.log_event, size), calls_of(size))
        goal = Goal(0.75 if size < 10_000 else 1.25)
        yield _Row(f"log_event, {size:,} bytes", str(size), "d3", floor, goal)
    floor = block(logging(bare.log_event, 200), 3 * BATCH)
    yield _Row(f"log_events, an event of {BATCH}", "batch", "d", floor, Goal(0.35))
    two = "two events"
    yield _Row("a span, start and end", "span", "two log_event", ours[two], Goal(1.3), 200, two)
    floor = _bare_sync(bench)
    yield _Row("log_event with fsync", "fsync", "fdatasync", floor, Goal(1.1), 60)


def _both_ways(bench: Bench, row: _Row, ours: Blocks, pure: _Named) -> Iterator[Figure]:
    """Yield the figure of the extension, if there is one, and that of Python alone, in turns."""
    bench.say(row.name)
    floor = row.floor_name
    sides = {"c": ours[row.block], floor: row.floor, "python": pure(row.block)}
    if row.pure_floor is not None:
        sides["pure floor"] = pure(row.pure_floor)
    found = by_turns(sides, bench.rounds(row.rounds))
    if not WHY_PURE:
        yield compared(row.name, {"ours": found["c"], floor: found[floor]}, "us", row.goal, _US)
    beside = found.get("pure floor", found[floor])
    in_words = row.name + IN_PYTHON
    yield compared(in_words, {"ours": found["python"], floor: beside}, "us", None, _US)


def _tail(bench: Bench, client: TelemetryClient, floor: CarefulAppend) -> Figure:
    bench.say("the slowest events")
    sides = {
        "ours": partial(_slowest, logging(client.log_event, 200)),
        "d3": partial(_slowest, logging(floor.log_event, 200)),
    }
    found = by_turns(sides, bench.rounds(30))
    return compared("log_event, p99.9", found, "us", Goal(200.0, of="ours"), _US)


def _slowest(action: Callable[[], object]) -> float:
    return percentile(each(action, 5_000), 99.9)


def _start_and_end(bench: Bench, client: TelemetryClient) -> Figure:
    bench.say("start and end")

    def start_and_end() -> None:
        client.end_run(client.start_run("crawler", "crawl"), items_discovered=10)

    sides = {
        "ours": block(start_and_end, CALLS // 3),
        "log_event": block(logging(client.log_event, 200), CALLS),
    }
    found = by_turns(sides, bench.rounds(_ROUNDS))
    return compared("start_run and end_run", found, "us", None, _US)


def _bare_sync(bench: Bench) -> Callable[[], float]:
    """Return what writes a line as long as one of 200 bytes, and has the disk keep it."""
    fd = os.open(bench.directory / "bare", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    line = b"x" * 449 + b"\n"

    def bare() -> None:
        os.write(fd, line)
        os.fdatasync(fd)

    return block(bare, 10)


SECTION = Section("append", "Appending in one thread", _run)
