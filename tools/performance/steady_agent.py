"""So many events a second, into a base, for so many seconds.

Run as a process of its own, to see how the others fare meanwhile. Prints the rate it kept.
"""

from __future__ import annotations

import sys
import time
from itertools import cycle
from pathlib import Path

from telemetry_core import TelemetryClient, TelemetryConfig
from tools.performance.workload import payloads

_EVENTS_OF_A_RUN = 1_000
_NAP = 0.001


def main(base: Path, rate: float, seconds: float) -> None:
    """Log, one event a call, and never further ahead of the rate than a nap."""
    client = TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_GIT": "false"}))
    following = cycle(payloads(200)).__next__
    run_id, count, begun = "", 0, time.perf_counter()
    while count < rate * seconds:
        if count % _EVENTS_OF_A_RUN == 0:
            run_id = client.start_run("steady", "load")
        client.log_event(run_id, "page_fetched", following())
        count += 1
        ahead = begun + count / rate - time.perf_counter()
        if ahead > _NAP:
            time.sleep(ahead)
    print(round(count / (time.perf_counter() - begun)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
