"""Signal handlers that log, close and fork in the middle of logging, and a lock that is held."""

from __future__ import annotations

import os

import pytest

from telemetry_core.lock import LOCK_NAME
from tests.support.agent import run_agent
from tests.support.oracle import assert_kept

fcntl = pytest.importorskip("fcntl", reason="needs POSIX file locks")

_STORM = """
import signal
handled, straight = [], []
def storm(action, times):
    def handle(*_):
        handled.append(action())
        if len(handled) < times:
            signal.setitimer(signal.ITIMER_REAL, 0.0003)
    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0003)
    while len(handled) < times:
        straight.append(client.log_event("run", "straight"))
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
"""


@pytest.fixture
def held(base):
    """The lock is taken, and is not given back."""
    (base / "raw").mkdir(parents=True)
    fd = os.open(base / "raw" / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    yield
    os.close(fd)


def test_handlers_that_log_while_another_process_has_the_lock_lose_nothing(base, held):
    """A storm of them, in waits and out: all of it is in the own log, and nothing raises."""
    ids = run_agent(
        base,
        _STORM
        + """
storm(lambda: client.log_event("run", "handler"), 300)
assert None not in handled + straight
print(*handled, *straight)
""",
    )
    log = assert_kept(base, ids)
    assert sorted(log.ids()) == sorted(ids)
    assert (log.torn(), log.shared()) == ([], [])


def test_handlers_that_close_the_client_take_no_descriptor_from_an_append(base):
    """As a host's SIGTERM handler may: appends that it interrupts end where they began."""
    ids = run_agent(
        base,
        _STORM
        + """
storm(client.close, 500)
assert None not in straight
stats = client.get_stats()
assert (stats["write_errors"], stats["events_spilled"]) == (0, 0), stats
print(*straight)
""",
    )
    log = assert_kept(base, ids)
    assert log.ids() == ids
    assert not log.own()


def test_handlers_that_fork_lose_and_double_nothing_that_was_told(base):
    """The child logs, ends, and leaves the append that was interrupted to its parent."""
    ids = run_agent(
        base,
        _STORM
        + """
def fork():
    pid = os.fork()
    if pid == 0:
        os._exit(0 if client.log_event("run", "child") else 1)
    assert os.waitpid(pid, 0)[1] == 0
storm(fork, 40)
assert None not in straight
print(*straight)
""",
    )
    log = assert_kept(base, ids)
    assert len(log.ids()) == len(ids) + 40
    assert log.torn() == []
