"""What forwarding costs the indexer: the same log with a target configured, and with none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

from tools.performance.child import run_python
from tools.performance.figure import Figure, Spread, percentile
from tools.performance.history import SHAPES, Shape, write
from tools.performance.section import Bench, Section
from tools.performance.turns import by_turns

_EVENTS = 200_000
_QUICK_EVENTS = 60_000
_ROUNDS = 3
# Nothing listens there: a pass fills the outbox, and sends nothing.
_TARGET = {"METRICS_API_URL": "http://127.0.0.1:9/runs", "METRICS_API_TOKEN": "secret"}


def _run(bench: Bench) -> Iterator[Figure]:
    events = _QUICK_EVENTS if bench.quick else _EVENTS
    for number, shape in enumerate((SHAPES[1], SHAPES[2])):
        bench.say(shape.name)
        base = bench.directory / str(number)
        write(base / "raw" / "events_20261118.ndjson", shape, events)
        sides = {"with": _index(base, _TARGET), "without": _index(base, {})}
        found = by_turns(sides, 3 if bench.quick else _ROUNDS)
        yield _figure(shape, events, found)
        shutil.rmtree(base)


def _figure(shape: Shape, events: int, found: dict[str, list[float]]) -> Figure:
    ours, floor = (events / percentile(found[side], 50) for side in ("with", "without"))
    ratio = Spread.of_ratios(found["without"], found["with"])
    note = f"{events // min(events, shape.events_of_run):,} runs due"
    return Figure(
        f"{shape.name}: indexing", "events/s", ours, floor, "without a target", ratio, note=note
    )


def _index(base: Path, variables: dict[str, str]) -> Callable[[], float]:
    def measure() -> float:
        shutil.rmtree(base / "db", ignore_errors=True)
        return run_python(["-m", "indexer", "--base", base, "index"], **variables).seconds

    return measure


SECTION = Section("forwarding", "Forwarding", _run)
