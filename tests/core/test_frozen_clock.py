"""A clock that stands still or steps back, as libraries that freeze time in tests make it."""

from __future__ import annotations

import os
import time

import pytest

from telemetry_core import shared_log
from telemetry_core.lock import LOCK_NAME, SidecarLock


@pytest.fixture
def stopped(monkeypatch, client, base):
    """A holder of the lock who does not write, and clocks that do not move."""
    client.log_event("run", "e", "first")
    client.close()
    holder = SidecarLock(base / "raw" / LOCK_NAME)
    holder.acquire(0.0)
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    monkeypatch.setattr(time, "perf_counter", lambda: 5.0)
    monkeypatch.setattr(time, "time_ns", lambda: 1_795_305_600 * 10**9)
    yield holder
    holder.forget()


def test_no_wait_is_endless(client, log, stopped, monkeypatch):
    """An event, many that waited, a flush and a close all return; nothing is lost."""
    assert client.log_event("run", "e", 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda *_: 1 / 0)
        assert {client.log_event("run", "e", n) for n in range(2, 50)} == {None}
    assert client.log_event("run", "e", 50)
    assert client.flush()
    client.close()
    assert sorted(log.payloads()[1:]) == list(range(1, 51))


def test_runs_and_spans_take_no_time_and_no_harm(client, log, stopped):
    """Their durations are zero, never negative."""
    with client.track_run("a", "j") as run, run.span("s"):
        pass
    ends = [e.data["duration_ms"] for e in log.events() if e.type.endswith("ended")]
    assert ends == [0, 0]
    assert len(set(log.ids())) == len(log.ids())


def test_a_sleep_that_does_not_sleep_ends_the_wait_as_well(client, log, stopped, monkeypatch):
    """Tests replace it, too: the pauses are counted."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    assert client.log_event("run", "e", 1)
    assert client.get_stats()["lock_timeouts"] == 1


@pytest.mark.needs("open-moves")
def test_a_file_that_was_moved_away_is_noticed_all_the_same(client, base, log, monkeypatch):
    """By the number of appends, where the clock does not tell; and after it stepped back."""
    client.log_event("run", "e", 1)
    monkeypatch.setattr(shared_log, "_PATH_CHECK_APPENDS", 3)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    (path,) = log.shared()
    path.rename(base / "raw/moved")
    for n in range(4):
        client.log_event("run", "e", n)
    assert path.exists()
    monkeypatch.setattr(shared_log, "_PATH_CHECK_APPENDS", 1_000)
    path.rename(base / "raw/moved-again")
    monkeypatch.setattr(time, "monotonic", lambda: now - 1e6)
    client.log_event("run", "e", "after")
    assert log.payloads() == ["after"]
