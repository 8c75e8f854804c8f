"""What it takes of the processor and of the disk while nothing comes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from indexer.store.status import HEARTBEAT_SECONDS
from telemetry_core import TelemetryClient, TelemetryConfig
from tools.performance.figure import Figure, Goal
from tools.performance.own_process import daemon
from tools.performance.section import Bench, Section

_SECONDS = 40.0
_OLD_DAYS = 1_000


def _run(bench: Bench) -> Iterator[Figure]:
    seconds = 5.0 if bench.quick else _SECONDS
    for name, days in (("one file", 0), (f"{_OLD_DAYS:,} files more", _OLD_DAYS)):
        base = bench.directory / str(days)
        _record(base, days)
        bench.say(f"with {name} in the log")
        with daemon(base) as pid:
            # What it does at first it does once: the first look, and a last heartbeat after it.
            time.sleep(1.5 * HEARTBEAT_SECONDS)
            share, written = taken(pid, seconds)
        goal = Goal(0.1 if days == 0 else 0.5, of="ours")
        note = f"over {seconds:.0f} s"
        yield Figure(f"processor, {name}", "% of a core", share * 100, goal=goal, note=note)
        yield Figure(f"written, {name}", "bytes", written, goal=Goal(0, of="ours"), note=note)


def _record(base: Path, days: int) -> None:
    """Make a base of one run today, and as many days before it."""
    client = TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_GIT": "false"}))
    client.end_run(client.start_run("agent", "job"))
    (today,) = client.config.ndjson_dir.glob("*.ndjson")
    line = today.read_bytes().partition(b"\n")[0] + b"\n"
    for day in range(days):
        name = date(2020, 1, 1) + timedelta(days=day)
        (today.parent / f"events_{name:%Y%m%d}.ndjson").write_bytes(line)


def taken(pid: int, seconds: float) -> tuple[float, int]:
    """Return the share of a core that a process had meanwhile, and the bytes it had written."""
    begun, ran, wrote = time.monotonic(), _ran(pid), _wrote(pid)
    time.sleep(seconds)
    return (_ran(pid) - ran) / (time.monotonic() - begun), _wrote(pid) - wrote


def _ran(pid: int) -> float:
    """Return how many seconds all threads of a process ran, to the nanosecond."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def _wrote(pid: int) -> int:
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["write_bytes"])


SECTION = Section("idle", "The idle daemon", _run)
