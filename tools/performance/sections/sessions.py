"""Measure the import of session files: what a megabyte takes, and what following them costs."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

from tools.performance.child import Cost, run_python
from tools.performance.figure import Figure, Goal, compared
from tools.performance.own_process import command, environment
from tools.performance.section import Bench, Section
from tools.performance.sections.idle import taken
from tools.performance.session_files import write_sessions
from tools.performance.turns import by_turns

_SESSIONS = 200
_ROUNDS = 3
_IDLE_SECONDS = 60.0
_FLOOR = """
import sys, hashlib, orjson, pathlib
out = open(sys.argv[2], "ab", buffering=0)
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.jsonl")):
    for line in open(path, "rb"):
        orjson.loads(line), hashlib.blake2b(line).digest()
        out.write(line)
"""


def _run(bench: Bench) -> Iterator[Figure]:
    count = bench.sessions or (_SESSIONS // 10 if bench.quick else _SESSIONS)
    bench.say(f"writing {count:,} sessions")
    source, base = bench.directory / "source", bench.directory / "base"
    size = write_sessions(source, count)
    found = f"{count:,} sessions of 1 MB"
    bench.say(f"importing {found}")
    costs: list[Cost] = []
    rounds = 1 if bench.sessions else _ROUNDS
    sides = {
        "ours": _importing(source, base, costs),
        "reading, hashing and writing each line": _copying(source, bench.directory / "copy"),
    }
    yield compared(f"import of {found}", by_turns(sides, rounds), "s")
    peak = max(cost.peak_bytes for cost in costs) / 1e6
    yield Figure("memory at its peak", "MB", peak, goal=Goal(100, of="ours"))
    log = sum(path.stat().st_size for path in (base / "raw").iterdir())
    yield compared("the log", {"ours": [log], "the sessions": [size]}, "MB", scale=1e-6)
    bench.say("following them")
    yield _following(source, base, 5.0 if bench.quick else _IDLE_SECONDS, found)


def _importing(source: Path, base: Path, costs: list[Cost]) -> Callable[[], float]:
    def measure() -> float:
        shutil.rmtree(base, ignore_errors=True)
        arguments: list[str | Path] = [
            "-m",
            "indexer",
            "--base",
            base,
            "import",
            "claude-code",
            source,
        ]
        costs.append(run_python(arguments))
        return costs[-1].seconds

    return measure


def _copying(source: Path, copy: Path) -> Callable[[], float]:
    def measure() -> float:
        cost = run_python(["-c", _FLOOR, source, copy])
        copy.unlink()
        return cost.seconds

    return measure


def _following(source: Path, base: Path, seconds: float, found: str) -> Figure:
    """Return what `import --watch` takes when it has looked at all files, and nothing comes."""
    arguments = ("--base", str(base), "import", "claude-code", str(source), "--watch")
    process = subprocess.Popen(
        command(*arguments), stderr=subprocess.DEVNULL, env=environment(base.parent)
    )
    try:
        # The first look at all of them is not what following costs.
        time.sleep(10.0)
        share, _ = taken(process.pid, seconds)
    finally:
        process.terminate()
        process.wait()
    return Figure(
        f"following {found}, none of which grows",
        "% of a core",
        share * 100,
        goal=Goal(0.5, of="ours"),
        note=f"over {seconds:.0f} s",
    )


SECTION = Section("sessions", "Importing sessions", _run)
