"""One process of several that append to one log as fast as they can.

Started by the section on processes, as `python -m tools.performance.hammer SIDE DIRECTORY
SECONDS`. It says `ready`, waits for a line, appends, and says what it did as JSON.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any, Callable

from telemetry_core import TelemetryClient, TelemetryConfig
from tools.performance.floors import CarefulAppend
from tools.performance.workload import payloads


def main(side: str, directory: Path, seconds: float) -> None:
    """Append for so long; print how many events there were, and how long the worst took."""
    log_event = _logging(side, directory)
    following = itertools.cycle(payloads(200)).__next__
    log_event("warm", "up")
    print("ready", flush=True)
    sys.stdin.readline()
    clock, count, worst = time.perf_counter, 1, 0.0
    end = (now := clock()) + seconds
    while now < end:
        log_event("run", "page_fetched", following())
        count += 1
        worst = max(worst, (then := clock()) - now)
        now = then
    print(json.dumps({"events": count, "worst": worst}), flush=True)


def _logging(side: str, directory: Path) -> Callable[..., Any]:
    if side == "ours":
        return TelemetryClient(TelemetryConfig.for_base(directory)).log_event
    return CarefulAppend(directory / "raw").log_event


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
