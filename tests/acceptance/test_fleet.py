"""A fleet of agents and a daemon, all of them killed at random: nothing is lost or doubled."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

from indexer.fresh import index_once
from indexer.rebuild import rebuild
from indexer.verify import verify
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.daemon import start_daemon
from tests.support.process import environment
from tests.support.view import indexed_from_scratch, tables

PROCESSES = 8
THREADS = 4
SECONDS = 10.0

_AGENT = """
import os, sys, threading, time, random
from pathlib import Path
from telemetry_core import TelemetryClient, TelemetryConfig
client = TelemetryClient(TelemetryConfig.for_base(Path(sys.argv[1]), {"TELEMETRY_GIT": "0"}))
def work(name):
    while True:
        with client.track_run(name, "fleet") as run:
            for number in range(random.randrange(30)):
                one = run.log_event("step", {"n": number, "pad": "x" * random.randrange(3000)})
                many = run.log_events([("batch", k) for k in range(random.randrange(4))])
                acknowledged = [i for i in (one, *(many or ())) if i]
                time.sleep(random.random() / 20)  # an agent does something between its events
                os.write(1, "".join(f"{i}\\n" for i in acknowledged).encode())
for number in range(int(sys.argv[2])):
    threading.Thread(target=work, args=(f"agent-{number}",), daemon=True).start()
threading.Event().wait()
"""


class _Agent:
    """An agent process, and what it said was recorded."""

    def __init__(self, base: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _AGENT, str(base), str(THREADS)],
            stdout=subprocess.PIPE,
            env=environment(),
        )
        self.acknowledged: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith(b"\n"):
                self.acknowledged.append(line.decode().strip())

    def kill(self) -> list[str]:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.acknowledged


def test_every_acknowledged_event_is_in_the_database_once(base: Path) -> None:
    """8 processes of 4 threads and the daemon, killed at random for a while; then all agree."""
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)
    chance = random.Random(seed)
    config = TelemetryConfig.for_base(base)
    agents = [_Agent(base) for _ in range(PROCESSES)]
    daemon = start_daemon(base)
    acknowledged: list[str] = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(chance.uniform(0.05, 0.4))
        if chance.random() < 0.3:
            daemon.send_signal(chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
            daemon.communicate(timeout=30)
            daemon = start_daemon(base)
        else:
            slot = chance.randrange(PROCESSES)
            acknowledged += agents[slot].kill()
            agents[slot] = _Agent(base)
    for agent in agents:
        acknowledged += agent.kill()
    daemon.kill()
    daemon.communicate(timeout=30)
    assert len(acknowledged) > 1_000
    _check(config, acknowledged)


def _check(config: TelemetryConfig, acknowledged: list[str]) -> None:
    index_once(config)
    with closing(sqlite3.connect(config.database_path)) as connection:
        stored = [row[0] for row in connection.execute("SELECT event_id FROM run_events")]
    assert len(acknowledged) == len(set(acknowledged))
    assert set(acknowledged) - set(stored) == set()
    assert len(stored) == len(set(stored))
    report = verify(config)
    assert report.is_ok, report.differences
    live = tables(config.database_path)
    assert indexed_from_scratch(config, config.metrics_dir / "new.sqlite") == live
    rebuild(config)
    assert tables(config.database_path) == live


_LATE = """
import sys
from pathlib import Path
from telemetry_core import TelemetryClient, TelemetryConfig
client = TelemetryClient(TelemetryConfig.for_base(Path(sys.argv[1])))
for directory in sys.stdin:
    client = TelemetryClient(TelemetryConfig.for_base(Path(directory.strip())))
    print(client.log_event("run", "late", {"after": "the cut"}), flush=True)
"""


def test_a_log_cut_at_any_byte_never_takes_the_next_event(tmp_path: Path) -> None:
    """Cut at every byte of its last two lines, then appended to: the new event is in."""
    client = TelemetryClient(TelemetryConfig.for_base(tmp_path / "whole"))
    for number in range(3):
        client.log_event("run", "early", {"number": number})
    (path,) = client.config.ndjson_dir.glob("events_*.ndjson")
    whole = path.read_bytes()
    second_last = whole.rfind(b"\n", 0, whole.rfind(b"\n", 0, -1)) + 1
    writer = subprocess.Popen(
        [sys.executable, "-c", _LATE, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    assert writer.stdin is not None
    assert writer.stdout is not None
    for cut in range(second_last, len(whole) + 1):
        config = TelemetryConfig.for_base(tmp_path / f"cut{cut}")
        config.ndjson_dir.mkdir(parents=True)
        (config.ndjson_dir / path.name).write_bytes(whole[:cut])
        writer.stdin.write(f"{config.metrics_dir}\n")
        writer.stdin.flush()
        late = writer.stdout.readline().strip()
        index_once(config)
        with closing(sqlite3.connect(config.database_path)) as connection:
            ids = {row[0] for row in connection.execute("SELECT event_id FROM run_events")}
        # A fragment that lacks nothing but its newline is an event again once it is sealed.
        complete = whole[:cut].count(b"\n") + (whole[cut : cut + 1] == b"\n")
        assert late in ids
        assert len(ids) == 1 + complete
    writer.communicate()
    assert writer.returncode == 0
