"""Measure a rebuild and a verification, against indexing the same log for the first time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

from tools.performance.child import run_python
from tools.performance.figure import Figure, Goal, compared
from tools.performance.history import SHAPES, write
from tools.performance.section import Bench, Section
from tools.performance.turns import by_turns

_EVENTS = 200_000
_QUICK_EVENTS = 100_000
_ROUNDS = 3
_USUAL, _TINY = SHAPES[1], SHAPES[2]
_IN_PYTHON = "index in Python alone"
_GOALS = (("rebuild", "index", 1.0), ("verify", "index", 0.5), ("verify", _IN_PYTHON, 0.5))


def _run(bench: Bench) -> Iterator[Figure]:
    for number, shape in enumerate((_USUAL, _TINY)):
        bench.say(shape.name)
        base = bench.directory / str(number)
        write(
            base / "raw" / "events_20261118.ndjson",
            shape,
            _QUICK_EVENTS if bench.quick else _EVENTS,
        )
        sides = {
            "index": _command(base, "index", from_scratch=True),
            _IN_PYTHON: _command(base, "index", from_scratch=True, TELEMETRY_PURE="1"),
            "rebuild": _command(base, "rebuild", from_scratch=False),
            "verify": _command(base, "verify", from_scratch=False),
        }
        found = by_turns(sides, 3 if bench.quick else _ROUNDS)
        for name, floor, limit in _GOALS:
            pair = {"ours": found[name], floor: found[floor]}
            yield compared(f"{shape.name}: {name}, to {floor}", pair, "s", Goal(limit))
        shutil.rmtree(base)


def _command(base: Path, name: str, *, from_scratch: bool, **variables: str) -> Callable[[], float]:
    """Return a side that runs a whole command, on no database or on what there is.

    It measures processor time, in seconds.
    """

    def measure() -> float:
        if from_scratch:
            shutil.rmtree(base / "db", ignore_errors=True)
        elif not (base / "db").exists():
            run_python(["-m", "indexer", "--base", base, "index"])
        ours: list[str | Path] = ["-m", "indexer", "--base", base, name]
        return run_python(ours, **variables).processor_seconds

    return measure


SECTION = Section("replay", "Rebuilding and verifying", _run)
