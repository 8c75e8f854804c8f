"""Latency: from an append's return to the row that another process sees."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Callable

from telemetry_core import TelemetryClient, TelemetryConfig
from tools.performance.figure import Figure, Goal, Spread, percentile
from tools.performance.own_process import daemon
from tools.performance.section import Bench, Section
from tools.performance.turns import by_turns

_ROUNDS = 500
_REST = 0.015
"""Between two appends, so that each meets a daemon that sleeps."""
_RATE = 10_000
_LOADED_SECONDS = 20.0
_GIVEN_UP = 10.0
_FLOOR = "raw inotify"


def _run(bench: Bench) -> Iterator[Figure]:
    ours, floor = bench.directory / "ours", bench.directory / "floor"
    with daemon(ours), _raw_watcher(floor) as seen_by_floor:
        database = TelemetryConfig.for_base(ours).database_path
        with _probe(ours, database) as probe, _probe(floor, seen_by_floor) as floor_probe:
            bench.say("with nothing else to do")
            sides = {"ours": _rested(probe), _FLOOR: _rested(floor_probe)}
            yield from _idle(by_turns(sides, bench.rounds(_ROUNDS)))
    with daemon(ours), _probe(ours, database) as probe:
        bench.say(f"under {_RATE:,} events a second")
        yield from _loaded(ours, probe, 3.0 if bench.quick else _LOADED_SECONDS)


def _idle(found: dict[str, list[float]]) -> Iterator[Figure]:
    ours, floor = found["ours"], found[_FLOOR]
    for percent, limit, most in ((50, 3.0, 2.5), (99, 10.0, 4.0)):
        mine, least = percentile(ours, percent), percentile(floor, percent)
        ratio = Spread.of_ratios(ours, floor) if percent == 50 else Spread(*[mine / least] * 3)
        name = f"idle, p{percent}"
        yield Figure(
            name,
            "ms",
            mine * 1e3,
            least * 1e3,
            _FLOOR,
            ratio,
            Goal(limit, of="ours"),
            note=f"of {len(ours)}",
        )
        yield Figure(
            f"{name}, to {_FLOOR}", "ms", mine * 1e3, least * 1e3, _FLOOR, ratio, Goal(most)
        )


def _loaded(base: Path, probe: Callable[[], float], seconds: float) -> Iterator[Figure]:
    agent = subprocess.Popen(
        [sys.executable, "-m", "tools.performance.steady_agent", base, str(_RATE), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )
    found = []
    while agent.poll() is None:
        # Its first second includes its own start.
        found.append(probe())
        time.sleep(_REST)
    rate = agent.communicate()[0].strip()
    for percent, goal in ((50, None), (99, Goal(150.0, of="ours"))):
        yield Figure(
            f"under load, p{percent}",
            "ms",
            percentile(found, percent) * 1e3,
            goal=goal,
            note=f"of {len(found)}; {rate} events/s",
        )


def _rested(probe: Callable[[], float]) -> Callable[[], float]:
    def measure() -> float:
        time.sleep(_REST)
        return probe()

    return measure


@contextmanager
def _probe(base: Path, database: Path) -> Iterator[Callable[[], float]]:
    """Give what appends one event and measures the seconds until it is seen in `database`."""
    client = TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_GIT": "false"}))
    run_id = client.start_run("probe", "latency")
    uri = f"{database.as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as reader:

        def measure() -> float:
            wanted = (run_id, str(client.log_event(run_id, "probe")))
            begun = time.perf_counter()
            while not _is_there(reader, wanted):
                if time.perf_counter() - begun > _GIVEN_UP:
                    raise RuntimeError(f"an event was not seen for {_GIVEN_UP:g} seconds")
            return time.perf_counter() - begun

        measure()
        yield measure


def _is_there(reader: sqlite3.Connection, wanted: tuple[str, str]) -> bool:
    query = "SELECT 1 FROM run_events WHERE run_id = ? AND event_id = ?"
    return reader.execute(query, wanted).fetchone() is not None


@contextmanager
def _raw_watcher(base: Path) -> Iterator[Path]:
    """The floor for the length of a block; gives its database."""
    directory, database = base / "raw", base / "floor.sqlite"
    directory.mkdir(parents=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.performance.raw_watcher", directory, database],
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield database
    finally:
        process.kill()
        process.communicate()


SECTION = Section("latency", "From the append to the row", _run)
