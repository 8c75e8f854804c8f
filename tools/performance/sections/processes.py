"""Appending from several processes at once, to one file, as fast as they can."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools.performance.figure import Figure, Goal, Spread, compared
from tools.performance.goals import IN_PYTHON
from tools.performance.section import Bench, Section

_ROOT = Path(__file__).resolve().parents[3]
_SECONDS = 1.5
_ROUNDS = 12
_FLOOR = "flock (d3)"


class _Blow(NamedTuple):
    """What several hammers did together."""

    rate: float
    worst: float
    shared: float
    """Which part of the events is in the one file, the others being in files of their own."""


def _run(bench: Bench) -> Iterator[Figure]:
    for number in (2, 4, 8):
        yield from _processes(bench, number)


def _processes(bench: Bench, number: int) -> Iterator[Figure]:
    bench.say(f"{number} processes")
    ours, floor, pure = [], [], []
    for _ in range(bench.rounds(_ROUNDS)):
        ours.append(_strike(bench.directory / "ours", "ours", number))
        floor.append(_strike(bench.directory / "floor", "floor", number))
        pure.append(_strike(bench.directory / "ours", "ours", number, TELEMETRY_PURE="1"))
    rates = {"ours": [one.rate for one in ours], _FLOOR: [one.rate for one in floor]}
    goal = Goal(1.5, at_least=True)
    figure = compared(f"{number} processes, together", rates, "events/s", goal)
    shared = Spread.of([one.shared for one in ours])
    note = f"{100 * shared.median:.2f} % in the one file, {100 * shared.low:.2f} % at the worst"
    yield figure._replace(note=note)
    worst = {"ours": [one.worst for one in ours], _FLOOR: [one.worst for one in floor]}
    yield compared(f"{number} processes, worst call", worst, "ms", Goal(1.0), 1e3)
    rates = {"ours": [one.rate for one in pure], _FLOOR: [one.rate for one in floor]}
    yield compared(f"{number} processes, together{IN_PYTHON}", rates, "events/s")


def _strike(directory: Path, side: str, number: int, **variables: str) -> _Blow:
    command = [
        sys.executable,
        "-m",
        "tools.performance.hammer",
        side,
        str(directory),
        f"{_SECONDS}",
    ]
    hammers = [
        subprocess.Popen(
            command,
            cwd=_ROOT,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(number)
    ]
    # All at once, and not before the last of them is ready.
    ready = [_said(hammer) for hammer in hammers]
    for hammer in hammers:
        _tell(hammer)
    done = [json.loads(_said(hammer)) for hammer in hammers]
    for hammer in hammers:
        hammer.communicate()
    events = sum(one["events"] for one in done)
    shared = _counted(directory / "raw", events)
    shutil.rmtree(directory)
    if ready != ["ready\n"] * number:
        raise RuntimeError("a process did not start")
    return _Blow(events / _SECONDS, max(one["worst"] for one in done), shared)


def _said(hammer: subprocess.Popen[str]) -> str:
    if hammer.stdout is None:
        raise RuntimeError("a process has no output")
    return hammer.stdout.readline()


def _tell(hammer: subprocess.Popen[str]) -> None:
    if hammer.stdin is None:
        raise RuntimeError("a process has no input")
    hammer.stdin.write("go\n")
    hammer.stdin.flush()


def _counted(raw: Path, events: int) -> float:
    """Return which part is in the daily file. Raises if a line is torn, missing, or there twice."""
    ids, shared = [], 0
    for path in raw.glob("events*.ndjson"):
        found = [json.loads(line)["id"] for line in path.read_bytes().split(b"\n") if line]
        ids += found
        shared += len(found) if path.name.count(".") == 1 else 0
    if not len(ids) == len(set(ids)) == events:
        raise RuntimeError(f"{events} events were appended, and {len(ids)} are there")
    return shared / events


SECTION = Section("processes", "Appending in several processes", _run)
