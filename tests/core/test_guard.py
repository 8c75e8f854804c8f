"""Whose exception it is that comes out of a call."""

from __future__ import annotations

import ctypes
import functools
import signal
import threading
import time

import pytest

from telemetry_core.guard import is_foreign, is_interrupt
from tests.support.process import run


class SoftTimeLimitExceeded(Exception):
    """As task queues raise one."""


class Handlers:
    def method(self, number, frame):
        raise SoftTimeLimitExceeded

    def __call__(self, number, frame):
        deep(3)


def deep(levels):
    if levels:
        deep(levels - 1)
    raise TimeoutError("soft limit")


def variable(*given):
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    raise OSError("as ours would be")


def partial(extra, number, frame):
    raise ValueError("soft limit")


HANDLERS = [Handlers().method, Handlers(), variable, functools.partial(partial, 1)]


class Raising:
    """A payload in whose `__repr__` something happens."""

    def __init__(self, act):
        self._act = act

    def __repr__(self):
        self._act()
        return "<raising>"


@pytest.mark.needs("signals")
@pytest.mark.parametrize("handler", HANDLERS, ids=["method", "object", "varargs", "partial"])
def test_what_a_signal_handler_raises_inside_our_call_passes(client, log, handler):
    """Also in the middle of a payload's own code; and the next event goes the straight way."""
    before = signal.signal(signal.SIGALRM, handler)
    try:
        payload = Raising(lambda: signal.raise_signal(signal.SIGALRM))
        with pytest.raises((SoftTimeLimitExceeded, TimeoutError, OSError, ValueError)) as caught:
            client.log_event("run", "e", {"a": [payload]})
    finally:
        signal.signal(signal.SIGALRM, before)
    assert is_interrupt(caught.value)
    assert client.get_stats()["client_errors"] == 0
    assert client.log_event("run", "e", "next")


def test_what_a_payload_raises_is_ours_to_deal_with(client, log):
    """It is written as well as it can be."""

    def fail():
        raise SoftTimeLimitExceeded

    assert client.log_event("run", "e", [Raising(fail), 1])
    assert log.payloads() == [["<unprintable Raising>", 1]]


def test_what_the_system_raises_is_counted(client, monkeypatch):
    """Also where a host has put a function of its own in place of the system's."""

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.open", full)
        assert client.log_event("run", "e") is None
    assert client.get_stats()["write_errors"] == 2


def test_an_exception_put_into_the_thread_from_outside_passes(client, monkeypatch):
    """As timeouts of threads do it: no frame of theirs, but a type of theirs."""
    ident = ctypes.c_ulong(threading.get_ident())
    error = ctypes.py_object(SoftTimeLimitExceeded)
    put = functools.partial(ctypes.pythonapi.PyThreadState_SetAsyncExc, ident, error)
    monkeypatch.setattr(time, "time_ns", put)
    with pytest.raises(SoftTimeLimitExceeded):
        client.log_event("run", "e")


def test_errors_of_libraries_of_ours_are_not_foreign():
    """They are known by their types and by where they were raised."""
    for error in (OSError(), MemoryError(), ValueError(), SoftTimeLimitExceeded()):
        assert not is_foreign(error)


STORM = """
import os, random, signal, sys, time
from pathlib import Path
from telemetry_core import TelemetryClient
class Soft(Exception):
    pass
armed = False
def handler(number, frame):
    if armed:
        raise Soft
signal.signal(signal.SIGALRM, handler)
client = TelemetryClient(Path(sys.argv[1]))
client.start_run("a", "j", run_id="r")
baseline = len(os.listdir("/proc/self/fd"))
seen = raised = 0
rng = random.Random(7)
# In a function: 3.13 lets what a handler raises at the end of a loop escape the `try` around it.
def work(seen):
    for _ in range(20):
        client.log_event("r", "e", seen)
        if seen % 5 == 0:
            client.close()
end = time.monotonic() + 3
while time.monotonic() < end:
    seen += 1
    try:
        armed = True
        signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-5, 1e-4))
        work(seen)
        armed = False
    except Soft:
        armed = False
        raised += 1
    assert len(os.listdir("/proc/self/fd")) <= baseline + 1, os.listdir("/proc/self/fd")
    pid = os.fork() if seen % 100 == 0 else None
    if pid == 0:
        signal.setitimer(signal.ITIMER_REAL, 0)
        from telemetry_core.lock import SidecarLock
        SidecarLock(Path(sys.argv[1]) / "raw/.events.lock").acquire(0.0)
        os._exit(0)
    if pid:
        assert os.waitpid(pid, 0)[1] == 0
armed = False
print(raised, client.get_stats()["client_errors"])
"""


@pytest.mark.needs("signals")
def test_raising_timers_leave_no_descriptor_open_and_no_lock_held(tmp_path):
    """A storm of timeouts inside our calls: each reaches the host, and nothing piles up."""
    raised, errors = run(STORM, str(tmp_path), timeout=60).split()
    assert int(raised) > 100
    assert errors == "0"


def test_near_the_limit_of_the_stack_nothing_of_ours_is_raised(tmp_path):
    """At every depth at which a plain function can be called, our methods return."""
    out = run(
        """
        import sys
        from pathlib import Path
        from telemetry_core import TelemetryClient
        client = TelemetryClient(Path(sys.argv[1]))
        client.log_event(client.start_run("a", "j"), "e")
        client.get_stats()
        def plain(levels):
            return plain(levels - 1) if levels else None
        def at(depth, act):
            return at(depth - 1, act) if depth else act()
        calls = [
            lambda: client.start_run("a", "j"),
            lambda: client.get_stats(),
            lambda: client.log_event("r", "e", {"a": [1]}),
            lambda: client.set_metrics("r", items_failed=1),
            lambda: client.end_run("r"),
        ]
        for call in calls:
            tried = 0
            for depth in range(sys.getrecursionlimit() - 150, sys.getrecursionlimit()):
                try:
                    # The call itself, and the guard around our method.
                    at(depth, lambda: plain(2))
                except RecursionError:
                    break
                at(depth, call)
                tried += 1
            assert tried > 100
        print(isinstance(client.start_run("a", "j"), str), client.get_stats()["client_errors"] > 0)
        """,
        str(tmp_path),
    )
    assert out == "True True\n"
