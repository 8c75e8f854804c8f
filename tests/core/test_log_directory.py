"""A log directory that vanishes, is out of reach, or is not what its name says."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import threading
from pathlib import Path

import pytest

from telemetry_core.clock import CLOCK
from telemetry_core.lock import LOCK_NAME
from telemetry_core.process import host_name
from tests.support.agent import run_agent
from tests.support.log import Log
from tests.support.oracle import assert_kept
from tests.support.process import start

if os.name != "posix":
    pytest.skip("is about what may be in a POSIX directory", allow_module_level=True)


def shared_name():
    return f"events_{CLOCK.tick().day}.ndjson"


def own_name():
    return f"events_{CLOCK.tick().day}.{host_name()}-{os.getpid()}.ndjson"


def loop(path):
    path.symlink_to(path)


def dangling(path):
    path.symlink_to(path.parent / "not" / "there")


def full_device(path):
    path.symlink_to("/dev/full")


def device(path):
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("needs root, to make a device")


def unix_socket(path):
    # By a short name, for the address of a socket can't be long.
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


ODD = [os.mkdir, os.mkfifo, loop, dangling, full_device, device, unix_socket]


@pytest.mark.parametrize("make", ODD, ids=lambda make: make.__name__)
@pytest.mark.parametrize("name", [shared_name, lambda: LOCK_NAME], ids=["day", "lock"])
def test_what_bears_the_name_of_day_or_lock_diverts_events_and_no_more(
    base, client, log, name, make
):
    """Whatever it is, events go to the own log, and the straight way once it is gone."""
    odd = base / "raw" / name()
    odd.parent.mkdir(parents=True)
    make(odd)
    ids = [client.log_event("run", "e", n) for n in range(3)]
    assert None not in ids
    assert client.get_stats()["events_spilled"] == 3
    assert log.ids() == ids
    odd.rmdir() if odd.is_dir() else odd.unlink()
    ids.append(client.log_event("run", "e", 3))
    assert_kept(base, ids)
    assert b'"payload":3' in log.bytes()


@pytest.mark.parametrize("make", ODD, ids=lambda make: make.__name__)
def test_what_bears_every_name_makes_events_wait(base, client, make):
    """Lock and own file are both out of reach: nothing hangs, and what waits arrives."""
    raw = base / "raw"
    raw.mkdir(parents=True)
    odd = [raw / LOCK_NAME, raw / own_name()]
    for path in odd:
        make(path)
    assert [client.log_event("run", "e", n) for n in range(3)] == [None] * 3
    for path in odd:
        path.rmdir() if path.is_dir() else path.unlink()
    ids = [client.log_event("run", "e", 3)]
    assert assert_kept(base, ids).payloads() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["raw", "."], ids=["log", "base"])
@pytest.mark.parametrize("make", [Path.touch, os.mkfifo, loop], ids=["file", "fifo", "loop"])
def test_what_stands_in_the_directorys_place_makes_events_wait(base, client, name, make):
    """A file, a FIFO or a link to itself: no exception; once it is gone events arrive."""
    odd = base / name
    odd.parent.mkdir(parents=True, exist_ok=True)
    make(odd)
    assert [client.log_event("run", "e", n) for n in range(3)] == [None] * 3
    odd.unlink()
    assert assert_kept(base, [client.log_event("run", "e", 3)]).payloads() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["raw", "."], ids=["log", "base"])
def test_a_directory_may_be_a_link(base, client, tmp_path, name):
    """What it leads to is made if it is not there, and made again when it vanishes."""
    target = tmp_path / "disk" / "log"
    link = base / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
    ids = [client.log_event("run", "e", n) for n in range(2)]
    assert assert_kept(base, ids).payloads() == [0, 1]
    shutil.rmtree(target)
    # A view keeps what a deleted file held.
    shutil.rmtree(base / "db", ignore_errors=True)
    ids = [client.log_event("run", "e", n) for n in range(2)]
    assert assert_kept(base, ids).payloads() == [0, 1]
    assert client.get_stats()["write_errors"] == 0


def test_a_directory_that_is_deleted_again_and_again_takes_what_comes_after(base, client):
    """`rm -rf` while two threads log: nothing raises, and the log is there afterwards."""
    client.log_event("run", "e", "first")
    over, ids = threading.Event(), []

    def work():
        while not over.is_set():
            ids.append(client.log_event("run", "e"))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        shutil.rmtree(base, ignore_errors=True)
    after = [client.log_event("run", "e", n) for n in range(20)]
    over.set()
    for thread in threads:
        thread.join()
    assert client.get_stats()["client_errors"] == 0
    assert client.flush()
    assert None not in after
    assert_kept(base, after)


@pytest.fixture
def open_base():
    """A base that a process without root's powers can reach, and owns."""
    directory = Path(tempfile.mkdtemp(prefix="telemetry-"))
    if os.geteuid() == 0:
        directory.chmod(0o755)
    base = directory / "base"
    base.mkdir(0o700)
    if os.geteuid() == 0:
        os.chown(base, 65534, 65534)
    yield base
    shutil.rmtree(directory)


# Permissions don't apply to root.
_POWERLESS = """
import telemetry_core.shared_log
telemetry_core.shared_log._PATH_CHECK_SECONDS = 0.0
if os.geteuid() == 0:
    os.setuid(65534)
raw = base / "raw"
def log(*numbers):
    return [client.log_event("run", "e", n) for n in numbers]
"""


def powerless(base, code):
    return run_agent(base, _POWERLESS + code)


@pytest.mark.parametrize("mode", [0o000, 0o400, 0o500])
def test_an_open_log_whose_directory_loses_its_permissions_goes_on(open_base, mode):
    """What is open already takes the events; nobody is to lose one to a `chmod`."""
    ids = powerless(
        open_base,
        f"""
ids = log(0)
raw.chmod({mode})
ids += log(1, 2, 3)
assert client.get_stats()["events_spilled"] == 0
raw.chmod(0o700)
print(*ids, *log(4))
""",
    )
    assert assert_kept(open_base, ids).payloads() == [0, 1, 2, 3, 4]


def test_a_directory_out_of_reach_makes_events_wait(open_base):
    """EACCES when files must be opened: no exception; what waits arrives when it may."""
    ids = powerless(
        open_base,
        """
raw.mkdir()
raw.chmod(0)
assert log(0, 1) == [None, None]
assert "Permission denied" in client.get_stats()["last_write_error"]
raw.chmod(0o700)
print(*log(2))
""",
    )
    assert assert_kept(open_base, ids).payloads() == [0, 1, 2]


def test_files_of_another_user_divert_events(open_base):
    """The day's file or the lock was made by root, as by a job that ran once with sudo."""
    ids = powerless(
        open_base,
        """
ids = log(0)
client.close()
for name in sorted(os.listdir(raw)):
    (raw / name).chmod(0)
    ids += log(1, 2)
    (raw / name).chmod(0o600)
assert client.get_stats()["events_spilled"] == 4
print(*ids)
""",
    )
    assert_kept(open_base, ids)


@pytest.mark.needs("root")
def test_an_empty_file_of_another_user_takes_events_all_the_same(open_base):
    """One whose mode we may not mend, but which is open to us."""
    raw = open_base / "raw"
    raw.mkdir(0o777)
    raw.chmod(0o777)
    for name in (shared_name(), LOCK_NAME):
        (raw / name).touch()
        (raw / name).chmod(0o066)
    ids = powerless(
        open_base,
        """
ids = log(0, 1)
assert client.get_stats()["events_spilled"] == 0
print(*ids)
""",
    )
    assert len(assert_kept(open_base, ids).shared()) == 1


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_processes_under_any_umask_share_a_log(open_base, umask):
    """Each reads what the other made, and nobody else does: files 0600, directories 0700."""
    code = f"""
os.umask({umask})
print(*log(0, 1))
"""
    ids = powerless(open_base, code) + powerless(open_base, code)
    log = assert_kept(open_base, ids)
    assert len(log.files()) == 1
    assert {path.stat().st_mode & 0o777 for path in log.directory.iterdir()} == {0o600}
    assert log.directory.stat().st_mode & 0o777 == 0o700


def test_a_relative_base_is_that_of_the_clients_beginning(tmp_path):
    """A host that changes its directory, and one whose directory is gone."""
    code = """
        import json, os, sys
        from pathlib import Path
        from telemetry_core import TelemetryClient, TelemetryConfig
        os.chdir(sys.argv[1])
        client = TelemetryClient(TelemetryConfig.for_base(Path("base")))
        ids = [client.log_event("run", "e", 0)]
        os.mkdir("gone")
        os.chdir("gone")
        ids.append(client.log_event("run", "e", 1))
        os.rmdir("../gone")
        ids.append(client.log_event("run", "e", 2))
        homeless = TelemetryClient(TelemetryConfig.for_base(Path("base")))
        by_hand = TelemetryConfig(Path("x"), Path("x/db/view"), Path("x/raw"))
        assert TelemetryClient(by_hand).log_event("run", "e")
        assert client.config.database_path == Path(sys.argv[1], "base/db/telemetry.sqlite")
        print(json.dumps([ids, homeless.log_event("run", "e", 3)]))
    """
    home = tmp_path / "home"
    process = start(code, str(tmp_path), HOME=str(home))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    ids, homeless = json.loads(out)
    assert assert_kept(tmp_path / "base", ids).payloads() == [0, 1, 2]
    assert assert_kept(home / "base", [homeless]).payloads() == [3]
    assert not Log(tmp_path / "gone/base/raw").files()
