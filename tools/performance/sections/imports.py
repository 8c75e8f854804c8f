"""What importing costs an agent, in processes of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

from tools.performance.figure import Figure, Goal, compared
from tools.performance.section import Bench, Section
from tools.performance.turns import by_turns

_ROOT = Path(__file__).resolve().parents[3]
_ROUNDS = 60
_SIDES = {
    "import telemetry_core": "import telemetry_core",
    "import and make a client": "from telemetry_core import TelemetryClient; TelemetryClient()",
}


def _run(bench: Bench) -> Iterator[Figure]:
    for name, code in _SIDES.items():
        bench.say(name)
        sides = {"ours": _starting(code), "import orjson": _starting("import orjson")}
        found = by_turns(sides, bench.rounds(_ROUNDS))
        yield compared(name, found, "ms", Goal(1.4), 1e3)


def _starting(code: str) -> Callable[[], float]:
    """Return a side that measures a Python that runs `code` and ends, in seconds."""

    def measure() -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=_ROOT, check=True)
        return time.perf_counter() - begun

    return measure


SECTION = Section("imports", "Importing", _run)
