from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter

from tests.support.log import Log
from tests.support.process import environment

WRITER = """
import os, sys, threading, time
from pathlib import Path
from telemetry_core import TelemetryClient, TelemetryConfig
client = TelemetryClient(TelemetryConfig.for_base(Path(sys.argv[1])))
def work(name):
    number = 0
    while True:
        number += 1
        payload = {"text": name * (number * 37 % 4000)}
        if number % 10:
            ids = [client.log_event(name, "e", payload)]
        else:
            ids = client.log_events(name, [("batch", payload)] * 5)
        os.write(1, "".join(f"{i}\\n" for i in ids).encode())
        time.sleep(0.001)
for n in range(3):
    threading.Thread(target=work, args=(f"t{n}",)).start()
"""
KILLS = 24


def start(base, acknowledged):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(base)], stdout=acknowledged, env=environment()
    )


def wait_for_size(path, size):
    deadline = time.monotonic() + 60
    while path.stat().st_size < size:
        assert time.monotonic() < deadline, "the writers acknowledge nothing"
        time.sleep(0.005)


def test_no_acknowledged_event_is_lost_to_kill_9(tmp_path):
    """6 processes of 3 threads, killed again and again: what was acknowledged is there, once."""
    dice = random.Random(20261122)
    base, acknowledged = tmp_path / "base", tmp_path / "acknowledged"
    with acknowledged.open("ab") as sink:
        writers = [start(base, sink) for _ in range(6)]
        try:
            for number in range(1, KILLS + 1):
                # However slow the machine: each is killed in the middle of things.
                wait_for_size(acknowledged, number * 37 * 50)
                time.sleep(dice.uniform(0, 0.1))
                victim = dice.randrange(6)
                writers[victim].kill()
                writers[victim].wait()
                writers[victim] = start(base, sink)
        finally:
            for writer in writers:
                writer.kill()
                writer.wait()
    told = [line for line in acknowledged.read_text().splitlines() if len(line) == 36]
    log = Log(base / "raw")
    assert len(told) >= KILLS * 50
    assert len(set(told)) == len(told)
    found = Counter(log.ids())
    assert [event_id for event_id in told if found[event_id] != 1] == []
    assert max(found.values()) == 1
    torn = log.torn()
    assert len(torn) <= KILLS + 6
    for fragment in torn:
        assert fragment.startswith(b'{"specversion"'[: len(fragment)])
        assert not fragment.endswith(b"}}}}")
