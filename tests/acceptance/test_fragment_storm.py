"""A program that ignores the lock throws fragments into the log while agents write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from telemetry_core import TelemetryClient
from telemetry_core.line import BadLine, decode
from tests.support.log import Log

THROW = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
print("ready", flush=True)
while True:
    os.write(fd, b'{"torn": "')
"""
_EVENTS = 1_500


@pytest.mark.skipif(sys.platform == "win32", reason="Windows appends in two steps without the lock")
def test_nothing_acknowledged_is_lost_among_fragments(client: TelemetryClient, log: Log) -> None:
    """Guarantee 2: every id that `log_event` or `log_events` returned is that of a whole line."""
    client.log_event("r", "first")
    (path,) = log.directory.glob("events_*.ndjson")
    acknowledged: list[str] = []
    thrower = subprocess.Popen(
        [sys.executable, "-c", THROW, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert thrower.stdout is not None
        assert thrower.stdout.readline() == "ready\n"
        for number in range(_EVENTS):
            acknowledged += filter(None, [client.log_event("r", "e", {"n": number})])
            acknowledged += client.log_events("r", [("e", 1), ("e", 2)]) or []
    finally:
        thrower.kill()
        thrower.communicate()
    assert len(acknowledged) == 3 * _EVENTS
    lost = set(acknowledged) - _ids_in(log.directory)
    assert not lost, f"{len(lost)} of {len(acknowledged)} events were lost"


def _ids_in(directory: Path) -> set[str]:
    ids = set()
    for path in directory.glob("*.ndjson"):
        for line in path.read_bytes().split(b"\n"):
            try:
                ids.add(decode(line).id)
            except BadLine:
                continue
    return ids
