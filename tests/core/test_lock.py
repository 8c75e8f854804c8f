from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.errors import LockTimeout
from telemetry_core.lock import LOCK_NAME, SidecarLock, try_lock
from tests.support.process import run, start

fcntl = pytest.importorskip("fcntl", reason="needs POSIX file locks")

HOLD = """
    import fcntl, os, sys
    fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held(client, base):
    """Another process has the lock and is stopped, so it will not give it back by itself."""
    client.log_event("run", "e", "first")
    holder = start(HOLD, str(base / "raw" / LOCK_NAME))
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGSTOP)
    yield holder
    holder.kill()
    holder.communicate()


def test_a_stopped_holder_costs_one_budget_and_no_event(client, log, held, monkeypatch):
    """Events go to this process's own file; the wait is bounded, and not once an event."""
    budgets = []
    acquire = SidecarLock.acquire
    monkeypatch.setattr(
        SidecarLock, "acquire", lambda lock, budget: budgets.append(budget) or acquire(lock, budget)
    )
    began = time.monotonic()
    ids = [client.log_event("run", "e", number) for number in range(100)]
    waits = [budget for budget in budgets if budget > 0]
    assert 1 <= len(waits) <= 2 + (time.monotonic() - began), "one budget a second"
    assert max(waits) <= 0.05
    assert None not in ids
    assert len(log.own()) == 1
    assert set(ids) <= set(log.ids())
    stats = client.get_stats()
    assert stats["events_spilled"] == 100
    assert stats["lock_timeouts"] >= 1
    assert stats["write_errors"] == 0


def test_once_the_lock_is_free_the_shared_log_is_used_again(client, log, held, monkeypatch):
    """Impatience passes."""
    client.log_event("run", "e", "spilled")
    held.kill()
    held.wait()
    client.log_event("run", "e", "shared again")
    assert b"shared again" in log.bytes()
    assert b"spilled" not in log.bytes()


def test_a_budget_of_a_configuration_is_never_endless(base, held):
    """Negative, which Python's locks take for ever, is none at all; infinity is a minute."""
    for budget in (-1.0, -0.001):
        config = TelemetryConfig.for_base(base)
        config.lock_budget_ms = budget
        assert TelemetryClient(config).log_event("run", "e")
    config.lock_budget_ms = float("inf")
    assert TelemetryClient(config)._recorder.budget == 60


def test_the_lock_is_on_a_file_beside_the_data(client, base, log):
    """Readers of the log never meet a lock on it."""
    client.log_event("run", "e")
    fd = os.open(log.shared()[0], os.O_RDWR)
    with_lock = os.open(base / "raw" / LOCK_NAME, os.O_RDWR)
    seen = []
    real = client._recorder.writer._shared._append_locked

    def look(lines, day):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(with_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            seen.append("held")
        return real(lines, day)

    client._recorder.writer._shared._append_locked = look
    client.log_event("run", "e")
    fcntl.flock(with_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)
    os.close(with_lock)
    assert seen == ["held"]


def test_a_handler_in_the_middle_of_an_append_does_not_give_its_lock_away(
    client, base, log, monkeypatch
):
    """What a signal handler logs goes another way; the append it interrupted stays alone."""
    from telemetry_core import shared_log

    real, inner = shared_log.write_whole, []
    stranger = SidecarLock(base / "raw" / LOCK_NAME)

    def interrupted(fd, lines):
        if not inner:
            inner.append(client.log_event("run", "e", "inner"))
        with pytest.raises(LockTimeout):
            stranger.acquire(0.0)
        real(fd, lines)

    monkeypatch.setattr(shared_log, "write_whole", interrupted)
    outer = client.log_event("run", "e", "outer")
    stranger.forget()
    assert sorted(log.ids()) == sorted([outer, *inner])
    assert len(log.own()) == 1


def test_an_error_or_an_interrupt_gives_the_lock_back(client, base, log, monkeypatch):
    """Whatever ends an append, the next writer gets in."""
    for error in (OSError("disk"), KeyboardInterrupt()):

        def fail(*_, error=error):
            raise error

        with monkeypatch.context() as patch:
            patch.setattr("telemetry_core.shared_log.write_whole", fail)
            try:
                client.log_event("run", "e")
            except KeyboardInterrupt:
                pass
        stranger = SidecarLock(base / "raw" / LOCK_NAME)
        stranger.acquire(0.0)
        stranger.forget()


def test_the_lock_times_out_and_says_where(tmp_path):
    """Two descriptors exclude each other, and the wait ends."""
    one, other = SidecarLock(tmp_path / "lock"), SidecarLock(tmp_path / "lock")
    one.acquire(0.05)
    with pytest.raises(LockTimeout, match="lock"):
        other.acquire(0.01)
    one.release()
    other.acquire(0.01)
    one.forget()
    other.forget()


def test_a_thread_that_is_kept_waiting_by_another_goes_its_own_way(client, log, monkeypatch):
    """One thread stuck in a write to a hung disk does not hang the others."""
    client.log_event("run", "e", "first")
    stuck, free = threading.Event(), threading.Event()
    real = client._recorder.writer._shared._append_locked

    def hang(lines, day):
        stuck.set()
        assert free.wait(60)
        return real(lines, day)

    client._recorder.writer._shared._append_locked = hang
    thread = threading.Thread(target=client.log_event, args=("run", "e", "stuck"))
    thread.start()
    assert stuck.wait(60)
    began = time.monotonic()
    assert client.log_event("run", "e", "other")
    assert time.monotonic() - began < 15, "it waited for the thread that is stuck"
    free.set()
    thread.join()
    assert sorted(log.payloads()) == ["first", "other", "stuck"]
    assert len(log.own()) == 1


def test_a_child_forked_during_another_threads_append_is_free(tmp_path):
    """It inherits neither the lock, nor descriptors, nor a mutex that nobody will release."""
    out = run(
        """
        import os, sys, threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        from pathlib import Path
        from telemetry_core import TelemetryClient, TelemetryConfig
        from tests.support.log import Log
        base = Path(sys.argv[1])
        client = TelemetryClient(TelemetryConfig.for_base(base))
        client.log_event("run", "e", "first")
        shared = client._recorder.writer._shared
        inside, go_on = threading.Event(), threading.Event()
        real = shared._append_locked
        def slow(lines, day):
            inside.set()
            assert go_on.wait(60)
            return real(lines, day)
        shared._append_locked = slow
        thread = threading.Thread(target=client.log_event, args=("run", "e", "slow"))
        thread.start()
        inside.wait()
        parents = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                   if os.path.exists(f"/proc/self/fd/{fd}")}
        assert any("raw" in name for name in parents)
        pid = os.fork()
        if pid == 0:
            del shared._append_locked
            left = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                    if os.path.exists(f"/proc/self/fd/{fd}")]
            free = not any("raw" in name for name in left)
            first = client.log_event("run", "e", "child, parent has the lock")
            os._exit(0 if free and first else 1)
        assert os.waitpid(pid, 0)[1] == 0
        go_on.set()
        thread.join()
        del shared._append_locked
        pid = os.fork()
        if pid == 0:
            os._exit(0 if client.log_event("run", "e", "child, lock is free") else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert client.log_event("run", "e", "last")
        log = Log(base / "raw")
        events, torn = log.read()
        assert torn == [] and len(events) == len({e.id for e in events}) == 5
        assert len({e.source for e in events}) == 3
        assert b"lock is free" in log.bytes() and b"has the lock" not in log.bytes()
        print("ok")
        """,
        str(tmp_path),
        # It stops the append in a function that the extension does not call.
        TELEMETRY_PURE="1",
    )
    assert out == "ok\n"


def test_a_lock_that_comes_free_while_one_waits_is_had(tmp_path, monkeypatch):
    """The pauses are short at first and longer then, and none is made in vain."""
    one, other = SidecarLock(tmp_path / "lock"), SidecarLock(tmp_path / "lock")
    one.acquire(0.0)
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 8:
            one.release()

    monkeypatch.setattr(time, "sleep", pause)
    other.acquire(30.0)
    assert pauses == [0.00005, 0.0001, 0.0002, 0.0004, 0.0008, 0.0016, 0.002, 0.002]
    assert other.is_current()
    one.forget()
    other.forget()


def test_a_budget_of_less_than_a_second_is_waited_for_as_well(tmp_path, monkeypatch):
    """An append has 50 milliseconds."""
    one, other = SidecarLock(tmp_path / "lock"), SidecarLock(tmp_path / "lock")
    one.acquire(0.0)
    monkeypatch.setattr(time, "sleep", lambda _: one.release())
    other.acquire(0.9)
    assert other.is_current()
    one.forget()
    other.forget()


def test_a_lock_that_nobody_opened_is_given_back_by_doing_nothing(tmp_path):
    """As after a fork, or after it was forgotten."""
    lock = SidecarLock(tmp_path / "lock")
    lock.release()
    lock.forget()
    assert not lock.is_current()


def test_an_error_of_the_lock_is_no_holder(tmp_path):
    """A descriptor that can't be locked is an error, and nothing to wait for."""
    fd = os.open(tmp_path, os.O_RDONLY | os.O_PATH)
    with pytest.raises(OSError, match="Bad file descriptor"):
        try_lock(fd)
    os.close(fd)


def test_a_lock_file_that_was_deleted_is_let_go_for_the_new_one(tmp_path):
    """What has no name excludes nobody, and must not stay open for ever either."""
    lock = SidecarLock(tmp_path / "lock")
    lock.acquire(0.0)
    lock.release()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        (tmp_path / "lock").unlink()
        lock.acquire(0.0)
        assert lock.is_current()
    assert len(os.listdir("/proc/self/fd")) == before
    lock.forget()
