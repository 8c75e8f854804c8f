"""The own log by itself: no lock, no descriptor that stays open."""

from __future__ import annotations

import os

import pytest

from telemetry_core.errors import AppendFailed
from telemetry_core.own_log import OwnLog

DAY = "20260101"


@pytest.fixture
def own(tmp_path):
    return OwnLog(tmp_path / "raw", "host")


def test_it_keeps_no_descriptor(own, tmp_path, monkeypatch):
    """Neither after an append nor after a failure."""
    before = len(os.listdir("/proc/self/fd"))
    own.append(b"a\n", DAY, sync=True)
    monkeypatch.setattr(os, "write", lambda *_: 0)
    with pytest.raises(AppendFailed):
        own.append(b"b\n", DAY, sync=False)
    assert len(os.listdir("/proc/self/fd")) == before
    path = tmp_path / "raw" / f"events_{DAY}.host-{os.getpid()}.ndjson"
    assert path.read_bytes() == b"\na\n"


def test_it_writes_the_whole_twice_and_no_more(own, monkeypatch):
    """What is cut short again is better kept in memory than written for ever."""
    written = []

    def cut_short(_fd, data):
        written.append(data)
        return len(data) - 1

    monkeypatch.setattr(os, "write", cut_short)
    with pytest.raises(AppendFailed):
        own.append(b"a\n", DAY, sync=False)
    assert written == [b"\na\n"] * 2
