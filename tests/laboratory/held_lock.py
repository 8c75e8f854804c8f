"""Held lock: somebody takes the log's lock and is stopped; an agent goes on recording."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from telemetry_core import TelemetryConfig
from telemetry_core.lock import LOCK_NAME, SidecarLock
from tests.laboratory import children
from tests.laboratory.agents import client_on
from tests.laboratory.children import Say
from tests.laboratory.experiment import Bench
from tests.support.oracle import Violation, judge

_PAUSE_SECONDS = 0.001


def run(bench: Bench, seconds: int) -> dict[str, int]:
    """Hold the lock for so long; return how many calls there were, and how long the worst took."""
    config = TelemetryConfig.for_base(bench.directory / "base")
    config.ndjson_dir.mkdir(parents=True)
    with children.started(_hold, config.ndjson_dir) as (_holder, ears):
        if not ears.poll(30):
            raise Violation("the lock can't be had")
        ended = children.run(_record, config.metrics_dir, seconds)
        bench.on_progress(1)
    if ended.code != 0:
        raise Violation(f"the host suffered, it ended with {ended.code}")
    ids, worst, spilled = ended.said[0]
    if None in ids:
        raise Violation("an event did not arrive")
    if spilled != len(ids):
        raise Violation(f"{spilled} of {len(ids)} events met the lock")
    judge(config, ids)
    return {"calls": len(ids), "microseconds the worst took": round(worst * 1e6)}


def _hold(say: Say, directory: Path) -> None:
    # A lock lives while its object does.
    lock = SidecarLock(directory / LOCK_NAME)
    lock.acquire(10.0)
    say("held")
    os.kill(os.getpid(), signal.SIGSTOP)


def _record(say: Say, base: Path, seconds: int) -> None:
    client = client_on(base)
    ids, worst = [], 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.perf_counter()
        ids.append(client.log_event("run", "step", {"n": len(ids)}))
        worst = max(worst, time.perf_counter() - begun)
        time.sleep(_PAUSE_SECONDS)
    say((ids, worst, client.get_stats()["events_spilled"]))
