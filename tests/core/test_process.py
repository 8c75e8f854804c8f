from __future__ import annotations

import os
import subprocess

import pytest

from telemetry_core import process
from telemetry_core.process import host_name, own_start, process_is_gone, process_start, source_of
from tests.support.process import run

pytestmark = pytest.mark.needs("proc")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("web-1.example", "web-1.example"),
        ("böse/../host name\n", "b_se_.._host_name_"),
        ("", "localhost"),
    ],
)
def test_a_host_name_is_fit_for_file_names(monkeypatch, name, kept):
    """Whatever the machine calls itself."""
    monkeypatch.setattr(os, "uname", lambda: type("U", (), {"nodename": name})())
    host_name.cache_clear()
    source_of.cache_clear()
    try:
        assert host_name() == kept
        assert source_of(7) == f"{kept}/7"
    finally:
        host_name.cache_clear()
        source_of.cache_clear()


def test_a_living_process_is_not_gone_and_a_dead_one_is():
    """Alive by pid and start; gone as a zombie, when reaped, and when its pid is another's."""
    child = subprocess.Popen(["sleep", "60"])
    start = process_start(child.pid)
    assert start is not None
    assert not process_is_gone(child.pid, start)
    assert not process_is_gone(child.pid, None)
    assert process_is_gone(child.pid, "another-boot:1")
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process_is_gone(child.pid, start)
    child.wait()
    assert process_is_gone(child.pid, start)
    assert process_start(child.pid) is None


def test_a_forked_child_is_a_source_of_its_own():
    """The parent's, which it knew before, is not what the child writes."""
    out = run("""
        import os
        from telemetry_core.process import own_source, source_of
        assert own_source() == source_of(os.getpid())
        if os.fork() == 0:
            os._exit(0 if own_source() == source_of(os.getpid()) else 1)
        print(os.waitstatus_to_exitcode(os.wait()[1]))
    """)
    assert out == "0\n"


def test_our_own_start_is_read_once_and_is_right():
    """It is that of this very process, whatever its command name holds."""
    assert own_start(os.getpid()) == process_start(os.getpid()) is not None


def test_a_command_name_with_parentheses_is_read(tmp_path):
    """The kernel puts the name into the line unescaped."""
    odd = tmp_path / "a) R (b"
    odd.symlink_to("/bin/sleep")
    child = subprocess.Popen([str(odd), "60"])
    try:
        assert not process_is_gone(child.pid, process_start(child.pid))
        assert process_start(child.pid).rpartition(":")[2].isdigit()
    finally:
        child.kill()
        child.wait()


def test_a_process_of_another_container_is_not_called_gone(monkeypatch):
    """Its pid means another process here, or none, though both may bear one host's name."""
    monkeypatch.setattr(process, "_boot_id", lambda: "boot")
    theirs = "boot/17:1"
    assert not process_is_gone(2**22 + 1, theirs)
    assert process_is_gone(2**22 + 1, theirs.replace("boot", "another-boot"))
    monkeypatch.setattr(process, "_pid_namespace", lambda _: 17)
    assert process_is_gone(2**22 + 1, theirs)
    assert not process_is_gone(2**22 + 1, "boot:1")


def test_where_nothing_can_be_known_nobody_is_gone(monkeypatch):
    """Without a boot id, as in some sandboxes, a process is never called dead."""
    monkeypatch.setattr(process, "_boot_id", lambda: None)
    assert not process_is_gone(os.getpid(), "boot:1")
