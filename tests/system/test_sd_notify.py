"""The daemon tells the service manager how it is; the manager here is a real datagram socket."""

from __future__ import annotations

import os
import socket
import uuid

import pytest

from indexer.system.base import Base
from indexer.system.sd_notify import Notifier
from tests.support.daemon import running_daemon, start_daemon
from tests.support.database import tables

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")


class Manager:
    """A service manager that listens."""

    def __init__(self, name: str, address) -> None:
        self.name = name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)

    def hear(self, seconds: float = 15.0) -> str:
        self._socket.settimeout(seconds)
        return self._socket.recv(4096).decode()

    def hear_of(self, wanted: str) -> list[str]:
        """Listen until a message begins like this; return all up to it."""
        heard = [self.hear()]
        while not heard[-1].startswith(wanted):
            heard.append(self.hear())
        return heard

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path, monkeypatch):
    """A manager by either kind of address."""
    if request.param == "abstract":
        name = f"telemetry-test-{uuid.uuid4()}"
        try:
            listening = Manager(f"@{name}", f"\0{name}")
        except OSError:
            pytest.skip("abstract sockets are Linux's")
    else:
        # Relative: the path of a socket must not be long, and pytest's may be.
        monkeypatch.chdir(tmp_path)
        listening = Manager(str(tmp_path / "s"), "s")
        if len(listening.name) > 100:
            pytest.skip("the temporary directory's path is too long for a socket")
    yield listening
    listening.close()


def test_ready_is_said_once_the_first_pass_is_done(base, client, manager):
    """Units that are ordered after the service find the rows there; then comes what it does."""
    client.start_run("agent", "job")
    with running_daemon(base, NOTIFY_SOCKET=manager.name):
        heard = manager.hear_of("READY=1")
        assert len(tables(client.config.database_path)["agent_runs"]) == 1
        assert manager.hear_of("STATUS=")[-1] == f"STATUS=indexing {base / 'raw'}"
    assert "READY=1" not in heard[:-1]
    rest = manager.hear_of("STOPPING=1")
    assert "READY=1" not in rest


def test_a_long_first_pass_asks_for_the_time_it_needs(base, client, manager):
    """Between batches, until it is done; afterwards it only says that it is alive."""
    client.start_run("agent", "job")
    with running_daemon(base, NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="200000"):
        first = manager.hear_of("READY=1")
        assert "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=90000000" in first
        assert manager.hear_of("WATCHDOG=1")[-1] == "WATCHDOG=1"


def test_a_daemon_with_nothing_to_do_stays_alive(base, manager):
    """However long its poll interval is, the watchdog is fed in time."""
    with running_daemon(base, 3600, NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="200000"):
        manager.hear_of("READY=1")
        for _ in range(3):
            manager.hear_of("WATCHDOG=1")


def test_a_loop_that_is_stuck_says_nothing(base, client, manager):
    """Then the manager may restart it: no thread other than the working one feeds the watchdog."""
    with running_daemon(base, NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="200000"):
        manager.hear_of("READY=1")
        with Base(client.config).write_lease(), pytest.raises(OSError, match="timed out"):
            # What it had under way may still be heard.
            for _ in range(100):
                manager.hear(1.5)
        manager.hear_of("WATCHDOG=1")


def test_a_first_pass_that_fails_is_not_ready_and_says_why(base, manager):
    """The manager shows the reason, and its patience is not prolonged."""
    base.mkdir()
    (base / "raw").write_text("a file")
    process = start_daemon(base, NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="200000")
    try:
        heard = manager.hear_of("STATUS=")
        assert "raw" in heard[-1]
        assert not any(text.startswith(("READY", "WATCHDOG")) for text in heard)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ["", "nonsense", "/no/such/socket", "vsock:2:1"])
def test_without_a_manager_nothing_happens(name):
    """No error, no wait, wherever the variable points."""
    notifier = Notifier({"NOTIFY_SOCKET": name})
    for say in (notifier.alive, notifier.ready, notifier.stopping):
        say()
    notifier.status("fine")


def test_a_status_is_one_line(manager):
    """An error's line break must not become another message."""
    Notifier({"NOTIFY_SOCKET": manager.name}).status("one\nREADY=1")
    assert manager.hear() == "STATUS=one READY=1"


def test_ready_is_said_once(manager):
    """A pass after the first is nothing that the manager waits for."""
    notifier = Notifier({"NOTIFY_SOCKET": manager.name})
    for _ in range(2):
        notifier.ready()
    notifier.stopping()
    assert [manager.hear(), manager.hear()] == ["READY=1", "STOPPING=1"]


@pytest.mark.parametrize(
    ("microseconds", "pid", "seconds"),
    [
        ("", "", None),
        ("10000000", "", 5.0),
        ("10000000", "self", 5.0),
        ("10000000", "1", None),
        ("0", "", None),
        ("soon", "", None),
    ],
)
def test_the_watchdog_is_ours_only_if_it_says_so(microseconds, pid, seconds):
    """Half of its time, and none where another process is watched."""
    pid = str(os.getpid()) if pid == "self" else pid
    notifier = Notifier({"WATCHDOG_USEC": microseconds, "WATCHDOG_PID": pid})
    assert notifier.interval == (seconds or float("inf"))
