"""Measure indexing a backlog, all promises kept, against loading the same events with none."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, Optional

from tools.performance import loads
from tools.performance.child import Cost, run_python
from tools.performance.figure import Figure, Goal, Spread, percentile
from tools.performance.goals import IN_PYTHON
from tools.performance.history import SHAPES, Shape, write
from tools.performance.section import Bench, Section
from tools.performance.turns import by_turns

_EVENTS = 200_000
_QUICK_EVENTS = 100_000
_ROUNDS = 3
_MEGABYTE = 1 << 20
_PEAK_MEGABYTES = 80.0
_IMPORT = "SQLite's import"
_IMPORT_WITH_RUNS = "import with runs"
_LIMITS = {_IMPORT: 0.9, "prototype": 0.8, "sqlite-utils": 5.0}
_TINY = SHAPES[2]


def _run(bench: Bench) -> Iterator[Figure]:
    for number, shape in enumerate(SHAPES):
        bench.say(shape.name)
        yield from _shape(bench, bench.directory / str(number), shape)


def _shape(bench: Bench, base: Path, shape: Shape) -> Iterator[Figure]:
    # Never so few that starting a process is what is measured.
    events = (_QUICK_EVENTS if bench.quick else _EVENTS) // (1 if shape.payload < 1_000 else 8)
    log, prepared = base / "raw" / "events_20261118.ndjson", base / "prepared.csv"
    write(log, shape, events)
    peaks: list[int] = []
    sides = {"ours": _index(base, peaks), IN_PYTHON: _index(base, peaks, TELEMETRY_PURE="1")}
    if loads.shell():
        loads.prepare(log, prepared)
        sides[_IMPORT] = _load("import", prepared, base)
        if shape is _TINY:
            # A first pass, whose rows of runs the floor is given.
            sides["ours"]()
            loads.prepare_runs(base / "db" / "telemetry.sqlite", loads.runs_beside(prepared))
            sides[_IMPORT_WITH_RUNS] = _load("import-with-runs", prepared, base)
    sides["prototype"] = _load("prototype", log, base)
    if importlib.util.find_spec("sqlite_utils"):
        sides["sqlite-utils"] = _load("sqlite-utils", log, base)
    found = by_turns(sides, 3 if bench.quick else _ROUNDS)
    for floor in (*_LIMITS, _IMPORT_WITH_RUNS):
        if floor in found:
            yield from _beside(shape, events, found, floor)
    peak = max(peaks) / _MEGABYTE
    goal = Goal(_PEAK_MEGABYTES, of="ours")
    yield Figure(f"{shape.name}: memory at its peak", "MB", peak, goal=goal)
    shutil.rmtree(base)


def _beside(
    shape: Shape, events: int, found: dict[str, list[float]], floor: str
) -> Iterator[Figure]:
    """Yield the rate and a floor's, with the extension and without; and how many times the floor's.

    Where there is no extension the first is of Python as well.
    """
    name, theirs = f"{shape.name}, against {floor}", found[floor]
    for ours, end, goal in (("ours", "", _goal(shape, floor)), (IN_PYTHON, IN_PYTHON, None)):
        rates = (events / percentile(found[ours], 50), events / percentile(theirs, 50))
        ratio = Spread.of_ratios(theirs, found[ours])
        yield Figure(name + end, "events/s", *rates, floor, ratio, goal)


def _goal(shape: Shape, floor: str) -> Optional[Goal]:
    """Return how many times as fast as a floor ours is to be."""
    if shape is _TINY:
        # Whose rows of runs are most of the work: only one of the floors does it.
        return Goal(0.6, at_least=True) if floor == _IMPORT_WITH_RUNS else None
    if shape.repeated and floor == _IMPORT:
        return Goal(0.75, at_least=True)
    return Goal(_LIMITS[floor], at_least=True)


def _index(base: Path, peaks: list[int], **variables: str) -> Callable[[], float]:
    def measure() -> float:
        shutil.rmtree(base / "db", ignore_errors=True)
        cost = run_python(["-m", "indexer", "--base", base, "index"], **variables)
        peaks.append(cost.peak_bytes)
        return cost.processor_seconds

    return measure


def _load(way: str, source: Path, base: Path) -> Callable[[], float]:
    def measure() -> float:
        directory = base / "loaded"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        cost: Cost = run_python(
            ["-m", "tools.performance.loads", way, source, directory / "t.sqlite"]
        )
        return cost.processor_seconds

    return measure


SECTION = Section("indexing", "Indexing a backlog", _run)
