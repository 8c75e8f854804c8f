"""What others take for an event, and what of it is on disk when the process is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Optional

import click

from tools.performance.figure import Figure, Goal, compared
from tools.performance.peer import PEERS
from tools.performance.section import Bench, Section

_ROOT = Path(__file__).resolve().parents[3]
_OURS = "telemetry_core"
_EVENTS = 2_000
_ROUNDS = 10
_GOALS = {"structlog + orjson": Goal(0.5)}
_INSTALLING = 600
_RECORDING = 120
# Some have a second process that goes on writing for a moment.
_AFTERMATH = 2.0
_MARK = re.compile(rb"mark-(\d+)-")


class _Outcome(NamedTuple):
    """What one run of a peer came to."""

    seconds: float
    """For one event."""
    kept: float
    """Which part of the events is on disk."""


def _run(bench: Bench) -> Iterator[Figure]:
    ours = sys.executable
    for name, (_, requirements) in PEERS.items():
        if name == _OURS:
            continue
        bench.say(name)
        theirs = _environment(bench.directory / name.split()[0], requirements)
        figure = theirs and _beside(bench, name, ours, theirs)
        if figure:
            yield figure
        else:
            why = "does not record here" if theirs else "can't be installed here"
            click.echo(f"{name} {why}: it is left out", err=True)


def _environment(directory: Path, requirements: tuple[str, ...]) -> Optional[str]:
    """Make a throw-away environment; return its Python, None if something can't be installed."""
    if not requirements:
        return sys.executable
    python = str(directory / "bin/python")
    install = [python, "-m", "pip", "install", "--quiet", *requirements]
    try:
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
        subprocess.run(install, check=True, capture_output=True, timeout=_INSTALLING)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    return python


def _beside(bench: Bench, name: str, ours: str, theirs: str) -> Optional[Figure]:
    found: dict[str, list[_Outcome]] = {"ours": [], name: []}
    for number in range(bench.rounds(_ROUNDS)):
        room = bench.directory / f"{name} {number}"
        mine = _record(_OURS, ours, room / "ours")
        other = _record(name, theirs, room / "theirs")
        if mine is None or other is None:
            return None
        found["ours"].append(mine)
        found[name].append(other)
    sides = {side: [one.seconds for one in outcomes] for side, outcomes in found.items()}
    least = {side: min(one.kept for one in outcomes) for side, outcomes in found.items()}
    note = f"on disk after kill -9: ours {least['ours']:.1%}, theirs {least[name]:.1%}"
    goal = _GOALS.get(name)
    return compared(f"an event, against {name}", sides, "us", goal, 1e6)._replace(note=note)


def _record(name: str, python: str, directory: Path) -> Optional[_Outcome]:
    """Have a process record and die; None if it could not."""
    directory.mkdir(parents=True)
    command = [python, "-m", "tools.performance.peer", name, str(directory), str(_EVENTS)]
    child = subprocess.Popen(
        command,
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        said = _seconds(child.stdout or ())
        child.wait(_RECORDING)
        time.sleep(_AFTERMATH)
    finally:
        _end(child.pid)
    return None if said is None else _Outcome(said, _kept(directory))


def _seconds(output: Iterable[str]) -> Optional[float]:
    """Return the first number that a peer says; None if it ends without one.

    Some greet on stdout before. It is not read to its end: another process may have the pipe.
    """
    for line in output:
        with suppress(ValueError):
            return float(line)
    return None


def _end(session: int) -> None:
    try:
        os.killpg(session, signal.SIGKILL)
    except ProcessLookupError:
        # There was no other process.
        pass


def _kept(directory: Path) -> float:
    found: set[bytes] = set()
    for path in directory.rglob("*"):
        if path.is_file():
            found.update(_MARK.findall(path.read_bytes()))
    return len(found) / _EVENTS


SECTION = Section("peers", "What others take", _run)
