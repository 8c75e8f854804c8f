"""Archiving next week's way, while agents write at full speed, and everybody is killed.

To the archiver it is next week: today's files are past days to it, and every one of its steps
meets writers in the middle of theirs.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from indexer.database.verify import verify
from indexer.log.names import parse_segment_name
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from tests.support.daemon import eventually, start_daemon
from tests.support.database import indexed_from_scratch, rows, tables
from tests.support.process import environment

_AGENT = """
import os, random, signal, sys, threading, time
from pathlib import Path
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.spill_file import SpillFile
write = SpillFile._write
# A slow disk: time enough for the file to be archived between its opening and the write.
SpillFile._write = lambda *arguments: (time.sleep(random.random() / 5), write(*arguments))[1]
config = TelemetryConfig.for_base(Path(sys.argv[1]), {"TELEMETRY_GIT": "false"})
# As short as it gets: who does not have the lock at once goes to a file of its own.
config.lock_budget_ms = 0.0
client = TelemetryClient(config)
def work(name):
    while True:
        ids = client.log_events(name, [("e", {"text": name * 300})] * 3)
        os.write(1, "".join(f"{i}\\n" for i in ids).encode())
        time.sleep(0.01)
for n in range(2):
    threading.Thread(target=work, args=(f"t{n}",)).start()
"""

# Killed before the so-manieth call that changes something, wherever that is.
_ARCHIVER = """
import os, signal, sys, time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from indexer.retention import archive
from indexer.retention import compression as packing
from indexer.retention import removal
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
config = TelemetryConfig.for_base(Path(sys.argv[1]))
left = iter(range(int(sys.argv[2])))
def dying(function):
    def call(*arguments, **named):
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.005)
        return function(*arguments, **named)
    return call
for name in ("rename", "replace", "unlink", "fsync"):
    setattr(os, name, dying(getattr(os, name)))
archive.compress = dying(archive.compress)
next_week = datetime.now(timezone.utc) + timedelta(days=7)
archive.archive(Base(config), timedelta(days=1), sys.argv[3], next_week)
"""

_KILLS = int(os.environ.get("TELEMETRY_ARCHIVE_KILLS", "16"))


def _start(code: str, base: Path, *arguments: object, out: object = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(base), *map(str, arguments)],
        stdout=out,
        env=environment(),
        text=True,
    )


def test_nothing_is_lost_to_archiving_under_load(tmp_path: Path) -> None:
    """Agents, archivers and the daemon are killed and stopped: what was acknowledged is there."""
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = random.Random(seed)
    base, acknowledged = tmp_path / "base", tmp_path / "acknowledged"
    config = TelemetryConfig.for_base(base)
    with acknowledged.open("ab") as sink:
        agents = [_start(_AGENT, base, out=sink) for _ in range(2)]
        daemon = start_daemon(base, poll_interval=0.05)
        try:
            for number in range(_KILLS):
                size = acknowledged.stat().st_size
                eventually(lambda size=size: acknowledged.stat().st_size > size + 3_000)
                archiver = _start(_ARCHIVER, base, rng.randrange(100), rng.choice([".gz", ".zst"]))
                time.sleep(rng.uniform(0.2, 0.4))
                _stop_for_a_moment(rng.choice([*agents, archiver]), rng)
                assert archiver.wait(timeout=120) in (0, -signal.SIGKILL)
                if number % 4 == 3:
                    victim = rng.randrange(2)
                    _kill(agents[victim])
                    agents[victim] = _start(_AGENT, base, out=sink)
                if number % 8 == 7:
                    _kill(daemon)
                    daemon = start_daemon(base, poll_interval=0.05)
        finally:
            for process in (*agents, daemon):
                _kill(process)
    reported = [line for line in acknowledged.read_text().splitlines() if len(line) == 36]
    assert len(reported) >= _KILLS * 50
    check(config, reported, tmp_path)
    archived = [parse_segment_name(path.name) for path in config.ndjson_dir.iterdir()]
    archived = [name for name in archived if name.is_compressed]
    assert any("-" in name.stem for name in archived)
    assert sum("-" not in name.stem for name in archived) >= 3


def check(config: TelemetryConfig, reported: list[str], tmp_path: Path) -> None:
    """Every event that was acknowledged is there once, and the view is what the log says."""
    found = Counter(row[0] for row in rows(config, "SELECT event_id FROM run_events"))
    assert [one for one in reported if found[one] != 1] == []
    assert verify(Base(config)).differences == []
    assert tables(config.database_path) == indexed_from_scratch(config, tmp_path / "s.sqlite")


def _stop_for_a_moment(process: subprocess.Popen[str], rng: random.Random) -> None:
    process.send_signal(signal.SIGSTOP)
    time.sleep(rng.uniform(0, 0.2))
    process.send_signal(signal.SIGCONT)


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stderr is not None:
        process.stderr.close()
