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
            "rebuild": _command(base, "rebuild", from_scratch=False),
            "verify": _command(base, "verify", from_scratch=False),
        }
        found = by_turns(sides, 3 if bench.quick else _ROUNDS)
        for name, limit in (("rebuild", 1.0), ("verify", 0.5)):
            pair = {"ours": found[name], "index": found["index"]}
            yield compared(f"{shape.name}: {name}", pair, "s", Goal(limit))
        shutil.rmtree(base)


def _command(base: Path, name: str, *, from_scratch: bool) -> Callable[[], float]:
    """Return a side that runs a whole command, on no database or on what there is."""

    def measure() -> float:
        if from_scratch:
            shutil.rmtree(base / "db", ignore_errors=True)
        elif not (base / "db").exists():
            run_python(["-m", "indexer", "--base", base, "index"])
        return run_python(["-m", "indexer", "--base", base, name]).seconds

    return measure


SECTION = Section("replay", "Rebuilding and verifying", _run)
