"""No lock, no descriptor that stays open."""

from __future__ import annotations

import os

import pytest

from telemetry_core.errors import AppendFailed
from telemetry_core.spill_file import SpillFile

DAY = "20260101"


@pytest.fixture
def own(tmp_path):
    return SpillFile(tmp_path / "raw", "host")


@pytest.mark.needs("descriptors")
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


@pytest.mark.needs("open-moves")
def test_a_file_that_is_moved_away_each_time_is_given_up(own, tmp_path, monkeypatch):
    """Three times, and each holds what was written: the caller keeps it, for nobody may read it."""
    path = tmp_path / "raw" / f"events_{DAY}.host-{os.getpid()}.ndjson"
    real, moved = os.write, []

    def write_and_move(fd, data):
        written = real(fd, data)
        moved.append(path.rename(tmp_path / f"moved-{len(moved)}"))
        return written

    monkeypatch.setattr(os, "write", write_and_move)
    with pytest.raises(AppendFailed, match="moved away"):
        own.append(b"a\n", DAY, sync=False)
    assert [file.read_bytes() for file in moved] == [b"\na\n"] * 3
