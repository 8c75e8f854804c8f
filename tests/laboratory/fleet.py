"""Many agents of several threads, and the daemon, all of them killed at random."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from telemetry_core import TelemetryConfig
from tests.laboratory import children
from tests.laboratory.agents import work_for_ever
from tests.laboratory.experiment import Bench
from tests.laboratory.indexers import watch_for_ever
from tests.support.oracle import Violation, judge

_POLL_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 0.15
_SECONDS = 30
_ENDINGS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)


class _Agent:
    """An agent process, and what it said was recorded."""

    def __init__(self, base: Path, seed: int, threads: int) -> None:
        self.process, self._ears = children.start(work_for_ever, base, seed, threads)
        self.acknowledged: list[str] = []
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    def _listen(self) -> None:
        for ids in children.heard(self._ears):
            self.acknowledged += ids

    def wait_until_it_works(self) -> None:
        """Wait for its first word, so that it is killed in the middle of things."""
        deadline = time.monotonic() + _SECONDS
        while not self.acknowledged:
            if time.monotonic() > deadline or not self.process.is_alive():
                raise Violation("an agent records nothing")
            time.sleep(0.001)

    def kill(self) -> list[str]:
        self.process.kill()
        self.process.join()
        self._reader.join()
        self._ears.close()
        return self.acknowledged


class _Daemon:
    """The daemon's process."""

    def __init__(self, base: Path) -> None:
        self._process, self._ears = children.start(watch_for_ever, base, _POLL_SECONDS)

    def end(self, how: signal.Signals) -> None:
        if not self._process.is_alive():
            raise Violation(f"the daemon ended by itself, with {self._process.exitcode}")
        os.kill(self._process.pid, how)
        self._process.join(_SECONDS)
        if self._process.exitcode is None:
            raise Violation(f"the daemon does not end on {how.name}")
        self._ears.close()


def run(
    bench: Bench, writer_kills: int, indexer_kills: int, processes: int = 8, threads: int = 4
) -> dict[str, int]:
    """Kill so often, one at a time, while all the others go on; return what was done."""
    chance = bench.chance()
    config = TelemetryConfig.for_base(bench.directory / "base")
    victims = ["agent"] * writer_kills + ["daemon"] * indexer_kills
    chance.shuffle(victims)

    def an_agent() -> _Agent:
        return _Agent(config.metrics_dir, chance.getrandbits(32), threads)

    acknowledged: list[str] = []
    agents = [an_agent() for _ in range(processes)]
    daemon = _Daemon(config.metrics_dir)
    try:
        for victim in victims:
            time.sleep(chance.uniform(0, _LONGEST_PAUSE_SECONDS))
            if victim == "daemon":
                daemon.end(chance.choice(_ENDINGS))
                daemon = _Daemon(config.metrics_dir)
            else:
                slot = chance.randrange(processes)
                agents[slot].wait_until_it_works()
                acknowledged += agents[slot].kill()
                agents[slot] = an_agent()
            bench.on_progress(1)
    finally:
        for agent in agents:
            acknowledged += agent.kill()
    daemon.end(signal.SIGKILL)
    return {
        "writer kills": writer_kills,
        "indexer kills": indexer_kills,
        "processes": processes,
        "threads": threads,
        "events": judge(config, acknowledged),
    }
