"""SIGKILL inside large writes: on a tmpfs the kernel stops in the middle of them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from telemetry_core import TelemetryConfig
from tests.support.agent import run_agent
from tests.support.log import Log
from tests.support.oracle import assert_kept

KILLS = 30

# Forked, for an interpreter that starts takes longer than all that a victim has to live.
_KILLER = """
import os, random, signal, sys, time
chance = random.Random(int(sys.argv[2]))
reported = os.open(base / "reported", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def write():
    for number in range(30):
        payload = "x" * (100, 130_000, 200_000)[number % 3]
        if number % 5:
            ids = [client.log_event("run", "large", payload)]
        else:
            ids = client.log_events("run", [("batch", payload), ("batch", number)])
        os.write(reported, "".join(f"{i}\\n" for i in ids or () if i).encode())
    signal.pause()
def victim():
    pid = os.fork()
    if pid == 0:
        write()
    return pid
client.log_event("run", "first")
writers = [victim() for _ in range(3)]
for _ in range(int(sys.argv[3])):
    time.sleep(chance.uniform(0.001, 0.008))
    slot = chance.randrange(len(writers))
    os.kill(writers[slot], signal.SIGKILL)
    os.waitpid(writers[slot], 0)
    writers[slot] = victim()
for pid in writers:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""


@pytest.fixture
def tmpfs_base():
    """A base on the tmpfs that Linux has for everybody."""
    known = subprocess.run(
        ["stat", "-f", "-c", "%T", "/dev/shm"], capture_output=True, text=True, check=False
    )
    if known.stdout.strip() != "tmpfs" or shutil.disk_usage("/dev/shm").free < 2**31:
        pytest.skip("needs 2 GB of tmpfs on /dev/shm: other file systems finish a write first")
    directory = Path(tempfile.mkdtemp(prefix="telemetry-", dir="/dev/shm"))
    yield directory / "base"
    shutil.rmtree(directory)


def test_every_fragment_of_a_large_write_is_sealed_and_takes_nobody(tmpfs_base):
    """Three writers at a time are killed inside large events; what was acknowledged is there."""
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)
    tmpfs_base.mkdir()
    log, rounds, torn = Log(tmpfs_base / "raw"), 0, []
    while rounds < 10 and not torn:
        run_agent(tmpfs_base, _KILLER, str(seed + rounds), str(KILLS))
        rounds += 1
        events, torn = log.read()
    lines = (tmpfs_base / "reported").read_text().splitlines()
    reported = [line for line in lines if len(line) == 36]
    assert_kept(tmpfs_base, reported)
    assert len(reported) > KILLS
    assert len(events) == len({event.id for event in events})
    assert torn, "no kill fell into a write: this proves nothing"
    assert len(torn) <= rounds * (KILLS + 3)
    assert all(fragment.startswith(b'{"specversion"'[: len(fragment)]) for fragment in torn)
    with closing(sqlite3.connect(TelemetryConfig.for_base(tmpfs_base).database_path)) as connection:
        quarantined = [row[0] for row in connection.execute("SELECT length FROM quarantine")]
    # What nobody has sealed yet, at a file's end, is no line yet.
    ends = [path.read_bytes().rpartition(b"\n")[2] for path in log.files()]
    sealed = [fragment for fragment in torn if fragment not in ends]
    assert sorted(quarantined) == sorted(len(fragment) + 1 for fragment in sealed)
