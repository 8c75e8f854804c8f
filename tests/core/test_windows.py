"""What Windows is asked for itself: who lives since when, who may enter, who writes where."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from telemetry_core import process, windows
from telemetry_core.lock import SidecarLock
from telemetry_core.process import own_start, process_is_gone, process_start
from telemetry_core.spill_file import SpillFile
from telemetry_core.storage import make_directory
from telemetry_core.writers import writer_for

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="is about Windows")

_WAITS_FOR_ITS_INPUT = [sys.executable, "-c", "input()"]


def test_a_living_process_is_not_gone_and_a_dead_one_is() -> None:
    """Alive by pid and start; gone once it has ended, though its handle is still held."""
    child = subprocess.Popen(_WAITS_FOR_ITS_INPUT, stdin=subprocess.PIPE)
    start = process_start(child.pid)
    assert start is not None
    assert start.startswith("windows:")
    assert not process_is_gone(child.pid, start)
    assert not process_is_gone(child.pid, None)
    child.kill()
    child.communicate()
    assert process_is_gone(child.pid, start)
    assert process_is_gone(child.pid, None)
    assert process_start(child.pid) is None


def test_a_pid_that_was_given_again_is_another_process() -> None:
    """Its start tells it from the one that had the pid before."""
    now = own_start(os.getpid())
    assert now == process_start(os.getpid())
    assert process_is_gone(os.getpid(), "windows:1")


def test_a_process_of_a_linux_on_this_machine_is_not_judged_from_here() -> None:
    """Its pids are others, whatever the host is called."""
    assert not process_is_gone(os.getpid(), "0b1c-boot:4711")


def test_a_process_that_may_not_be_looked_at_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Access denied means that there is one."""

    def denied(pid: int) -> None:
        raise windows.ProcessNotVisible(5, "Access is denied")

    monkeypatch.setattr(windows, "process_created", denied)
    assert process.process_start(4) is None
    assert not process_is_gone(4, None)


def test_a_drive_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    """Nothing is above a drive that could be made first."""
    with pytest.raises(FileNotFoundError):
        make_directory(Path("Q:\\telemetry\\raw"))


def test_a_directory_has_one_writer_however_it_is_spelled(tmp_path: Path) -> None:
    """Two would lock each other out."""
    one = writer_for(tmp_path / "Raw", "host")
    assert writer_for(Path(str(tmp_path / "rAW").swapcase()), "host") is one


def test_threads_that_spill_at_once_lose_nothing(tmp_path: Path) -> None:
    """A seek and a write of one are not torn apart by another's."""
    own = SpillFile(tmp_path, "host")
    line = b"x" * 99

    def spill() -> None:
        for _ in range(100):
            own.append(line + b"\n", "20261126", sync=False)

    threads = [threading.Thread(target=spill) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (path,) = tmp_path.iterdir()
    lines = [found for found in path.read_bytes().split(b"\n") if found]
    assert lines == [line] * 400


def test_a_lock_of_another_process_is_not_waited_for_beyond_the_budget(tmp_path: Path) -> None:
    """The holder goes on holding it; the caller goes on with something else."""
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            (
                "import sys; from pathlib import Path; from telemetry_core.lock import SidecarLock;"
                "lock = SidecarLock(Path(sys.argv[1])); lock.acquire(5); print(flush=True); input()"
            ),
            str(tmp_path / "lock"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        holder.stdout.readline()
        with pytest.raises(Exception, match="was held for more than 50 ms"):
            SidecarLock(tmp_path / "lock").acquire(0.05)
    finally:
        holder.communicate(b"\n")
