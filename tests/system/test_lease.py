"""One process at a time in a role, whatever became of the last one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from indexer.errors import AlreadyRunning
from indexer.system.base import DAEMON, ONE_PASS, Base
from indexer.system.lease import Lease
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.process import host_name, own_start
from tests.support.daemon import delete, ending_daemon, eventually, running_daemon, start_daemon
from tests.support.process import environment


def _leave_note(path: Path, pid: int) -> None:
    path.with_suffix(".json").write_bytes(
        orjson.dumps({"pid": pid, "host": host_name(), "purpose": DAEMON})
    )


def _pid_of_the_dead() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_note_of_a_daemon_that_was_killed_deceives_nobody(tmp_path: Path) -> None:
    """The next holder has the lock and has not yet written its own: that one is waited for."""
    path = tmp_path / "indexer.lock"
    holder = Lease(path)
    with holder:
        _leave_note(path, _pid_of_the_dead())
        release = threading.Timer(0.2, lambda: holder.__exit__(None, None, None))
        release.start()
        with Lease(path, ONE_PASS, patience=60, never_wait_for=DAEMON):
            pass
        release.join()


def test_a_living_daemon_is_not_waited_for(tmp_path: Path) -> None:
    """It would be for ever."""
    path = tmp_path / "indexer.lock"
    with Lease(path, DAEMON), pytest.raises(AlreadyRunning, match=DAEMON):
        Lease(path, ONE_PASS, patience=60, never_wait_for=DAEMON).__enter__()


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
def test_a_daemon_in_a_container_is_not_waited_for(tmp_path: Path) -> None:
    """It may bear our host's name, and its pid is nobody's here: it is alive all the same."""
    path = tmp_path / "indexer.lock"
    holder = Lease(path)
    with holder:
        note = {"pid": 2**22 + 1, "host": host_name(), "purpose": DAEMON}
        boot = str(own_start(os.getpid())).partition(":")[0].partition("/")[0]
        path.with_suffix(".json").write_bytes(
            orjson.dumps({**note, "process_start": f"{boot}/17:1"})
        )
        # A waiting process gets the lease in the end, and raises nothing.
        release = threading.Timer(1.0, lambda: holder.__exit__(None, None, None))
        release.start()
        with pytest.raises(AlreadyRunning):
            Lease(path, ONE_PASS, patience=60, never_wait_for=DAEMON).__enter__()
        release.join()


@pytest.mark.needs("open-moves")
def test_a_lock_file_deleted_as_it_was_locked_is_locked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking `db/` was deleted: two would have held the lease."""
    path = tmp_path / "db" / "indexer.lock"
    taken = []

    def lock_late(fd: int) -> bool:
        if not taken:
            shutil.rmtree(path.parent)
        taken.append(fd)
        return True

    monkeypatch.setattr("indexer.system.lease.try_lock", lock_late)
    with Lease(path):
        assert path.exists()
    assert len(taken) == 2


def test_a_note_that_cannot_be_written_leaves_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a full disk a daemon held itself for a rebuild, until its end."""
    lease = Lease(tmp_path / "rebuild.lock", "rebuild")

    def refuse(*_: Any) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr("indexer.system.lease.os.replace", refuse)
    with pytest.raises(OSError, match="no space"):
        lease.__enter__()
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["rebuild.lock"]
    with Lease(tmp_path / "rebuild.lock", "rebuild"):
        pass


@contextmanager
def _waiter(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for a lease."""
    code = """
import sys
from pathlib import Path
from indexer.system.lease import Lease
Lease(Path(sys.argv[1]), patience=3600).__enter__()
"""
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], env=environment())
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_whoever_waits_is_seen(tmp_path: Path) -> None:
    """While it waits: not before, not after it was killed, and by more than one look."""
    path = tmp_path / "write.lock"
    with Lease(path) as lease:
        assert not lease.is_wanted()
        with _waiter(path):
            eventually(lease.is_wanted)
            eventually(lease.is_wanted)
        assert not lease.is_wanted()


def test_a_lease_for_which_nobody_ever_waited_leaves_no_file(tmp_path: Path) -> None:
    """To look whether somebody waits makes nothing."""
    with Lease(tmp_path / "write.lock") as lease:
        assert not lease.is_wanted()
    assert [path.name for path in tmp_path.iterdir()] == ["write.lock"]


@pytest.mark.needs("open-moves")
def test_whoever_waits_is_seen_again_though_its_mark_was_deleted(tmp_path: Path) -> None:
    """With all that is in `db/`, say; it goes on waiting, and makes a new one."""
    path = tmp_path / "write.lock"
    with Lease(path) as lease, _waiter(path):
        eventually(lease.is_wanted)
        path.with_suffix(".waiting").unlink()
        eventually(lease.is_wanted)


def test_a_waiter_of_two_that_is_killed_hides_the_other_for_a_moment_only(tmp_path: Path) -> None:
    """They share one mark: its holder is seen for both, and leaves it when it dies."""
    path = tmp_path / "write.lock"
    with Lease(path) as lease, _waiter(path):
        eventually(lease.is_wanted)
        with _waiter(path):
            eventually(lease.is_wanted)
        eventually(lease.is_wanted)


def test_a_thread_that_waits_is_seen(tmp_path: Path) -> None:
    """By another thread of its own process, which shares no descriptor with it."""
    path = tmp_path / "write.lock"
    lease = Lease(path)
    with lease:
        waiter = threading.Thread(target=Lease(path, patience=60).__enter__)
        waiter.start()
        eventually(lease.is_wanted)
    waiter.join()
    assert not lease.is_wanted()


@pytest.mark.needs("open-moves")
def test_a_daemon_whose_directory_was_deleted_is_still_the_only_one(
    base: Path, client: TelemetryClient
) -> None:
    """Its lock went with `db/`: a second one would have begun next to it."""
    config = TelemetryConfig.for_base(base)
    client.start_run("agent", "job")
    with running_daemon(base) as first:
        eventually(config.database_path.exists)
        delete(config.database_path.parent)
        note = config.database_path.parent / "indexer.json"
        eventually(note.exists)
        assert orjson.loads(note.read_bytes())["pid"] == first.pid
        second = start_daemon(base)
        _, errors = second.communicate(timeout=60)
        assert second.returncode != 0
        assert f"process {first.pid}" in errors


@pytest.mark.needs("open-moves")
def test_a_daemon_that_lost_its_lease_to_another_ends(base: Path) -> None:
    """Two may not write, and the one that has the file now is in the right."""
    config = TelemetryConfig.for_base(base)
    lock = config.database_path.parent / "indexer.lock"
    with ending_daemon(base, poll_interval=1.0) as first:
        eventually(lock.with_suffix(".json").exists)
        # Stopped, or it would now and then notice first that its lock is gone, and take another.
        first.send_signal(signal.SIGSTOP)
        lock.unlink()
        with Base(config).indexer_lease(DAEMON):
            first.send_signal(signal.SIGCONT)
            _, errors = first.communicate(timeout=60)
        assert first.returncode == 0
        assert f"process {os.getpid()}" in errors
