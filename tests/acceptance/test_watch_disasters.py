"""What it can't tell is found by looking, and it is tried again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from importlib import metadata
from pathlib import Path

import pytest

from indexer.daemon import watcher as watch_module
from indexer.daemon.watcher import Watcher
from indexer.store.connection import open_reader
from indexer.store.status import read_status
from indexer.system.wakeup import Wakeup
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.line import encode
from tests.support.daemon import delete, eventually, running_daemon
from tests.support.database import count_runs, event
from tests.support.oracle import judge
from tests.support.process import environment

pytestmark = pytest.mark.needs("inotify")

_LIMITS = Path("/proc/sys/user")


def _is_watching(config: TelemetryConfig) -> bool:
    with closing(open_reader(config.database_path)) as reader:
        return bool(read_status(reader)["watching"])


def test_an_overflowing_queue_loses_nothing(base: Path, client: TelemetryClient) -> None:
    """More happens than the kernel remembers while the daemon is stopped: it sees all of it."""
    raw = client.config.ndjson_dir
    longest = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if longest > 100_000:
        pytest.skip("the queue is too long to make it overflow")
    with running_daemon(base, poll_interval=3600) as daemon:
        client.start_run("agent", "job")
        eventually(lambda: count_runs(client.config) == 1)
        os.kill(daemon.pid, signal.SIGSTOP)
        # Events that repeat the last one are not queued: two files take turns.
        made = [event(n, "run.started", f"run-{n}") for n in range(longest + 1_000)]
        with (raw / "a.ndjson").open("ab", 0) as a, (raw / "b.ndjson").open("ab", 0) as b:
            for n, one in enumerate(made):
                (a, b)[n % 2].write(encode(one))
        os.kill(daemon.pid, signal.SIGCONT)
        eventually(lambda: count_runs(client.config) == len(made) + 1)
        client.start_run("agent", "job")
        eventually(lambda: count_runs(client.config) == len(made) + 2)


def _may_limit() -> bool:
    if shutil.which("unshare") is None or not (_LIMITS / "max_inotify_watches").exists():
        return False
    code = f"echo 0 > {_LIMITS}/max_inotify_watches"
    command = ["unshare", "-U", "-r", "sh", "-c", code]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _may_limit(), reason="may not have a user namespace with limits")
@pytest.mark.parametrize("limit", ["max_inotify_instances", "max_inotify_watches"])
def test_none_left_of_what_a_watch_needs(base: Path, client: TelemetryClient, limit: str) -> None:
    """The daemon polls and says so; once there are some it watches again."""
    allowed = base.parent / "allowed"
    code = (
        f"echo 0 > {_LIMITS}/{limit};"
        f' (for n in $(seq 600); do [ -e "{allowed}" ] && break; sleep 0.05; done;'
        f' echo 100 > {_LIMITS}/{limit}) 2> /dev/null & exec "$@"'
    )
    within = ["unshare", "-U", "-r", "sh", "-c", code, "sh"]
    with running_daemon(base, poll_interval=0.05, heartbeat=0.2, within=within):
        for number in range(3):
            client.start_run("agent", "job")
            eventually(lambda number=number: count_runs(client.config) == number + 1)
        eventually(lambda: not _is_watching(client.config))
        allowed.touch()
        eventually(lambda: _is_watching(client.config))
    judge(client.config)


_RETRIES = """
import os, sys, threading
from pathlib import Path
from indexer.daemon import watcher as module
module.RETRY_SECONDS = 0.0
Path(sys.argv[2]).write_text("0")
watch = module.Watcher(Path(sys.argv[1]), lambda: None)
used = []
for _ in range(10):
    assert not watch.ensure_watching()
    used.append((len(os.listdir("/proc/self/fd")), threading.active_count()))
assert used[-1] == used[0], used
Path(sys.argv[2]).write_text("100")
assert watch.ensure_watching(), watch.problem
"""


@pytest.mark.skipif(not _may_limit(), reason="may not have a user namespace with limits")
@pytest.mark.parametrize("limit", ["max_inotify_instances", "max_inotify_watches"])
def test_trying_again_uses_nothing_up(base: Path, limit: str) -> None:
    """Each vain try left an instance, a thread and descriptors behind: soon there were none."""
    if limit == "max_inotify_watches" and int(metadata.version("watchdog").split(".")[0]) < 7:
        pytest.skip("watchdog before 7 itself keeps the instance of a watch that was refused")
    base.mkdir()
    done = subprocess.run(
        ["unshare", "-U", "-r", sys.executable, "-c", _RETRIES, str(base), str(_LIMITS / limit)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr


def _put_back_under_the_same_name(raw: Path) -> None:
    delete(raw)
    raw.mkdir()


def _move_away(raw: Path) -> None:
    raw.rename(raw.with_name("moved"))
    raw.mkdir()


def _make_a_link(raw: Path) -> None:
    other = raw.with_name("elsewhere")
    raw.rename(other)
    raw.symlink_to(other)


def _link_to_another(raw: Path) -> None:
    _make_a_link(raw)
    another = raw.with_name("another")
    shutil.copytree(raw.with_name("elsewhere"), another)
    os.symlink(another, raw.with_name("link"))
    os.replace(raw.with_name("link"), raw)


@pytest.mark.parametrize(
    "change", [_put_back_under_the_same_name, _move_away, _make_a_link, _link_to_another]
)
def test_a_directory_that_is_another_one_now_is_watched(
    base: Path, monkeypatch: pytest.MonkeyPatch, change: object
) -> None:
    """Again and again, also where its inode is the old one's: a new file gives a hint."""
    monkeypatch.setattr(watch_module, "RETRY_SECONDS", 0.0)
    raw = base / "raw"
    raw.mkdir(parents=True)
    hint = Wakeup()
    watch = Watcher(raw, hint.set)
    assert watch.ensure_watching()
    for _ in range(5 if change is _put_back_under_the_same_name else 1):
        change(raw)
        eventually(watch.ensure_watching)
        # What is still reported of the old one may come late.
        eventually(lambda: not hint.wait(0.2))

        def is_told() -> bool:
            # As the daemon does, before each of its looks.
            watch.ensure_watching()
            (raw / "events_20260101.ndjson").write_bytes(b"x")
            return hint.wait(0.2)

        eventually(is_told)
    watch.stop()
    hint.close()


@pytest.mark.parametrize("change", [_make_a_link, _link_to_another])
def test_a_log_behind_a_link_is_seen_at_once(
    base: Path, client: TelemetryClient, change: object
) -> None:
    """The link itself was watched, in which nothing ever happens: each event waited for a poll."""
    client.start_run("agent", "job")
    change(client.config.ndjson_dir)
    with running_daemon(base, poll_interval=3600):
        eventually(lambda: count_runs(client.config) == 1)
        client.start_run("agent", "job")
        eventually(lambda: count_runs(client.config) == 2)
    judge(client.config)


_REFUSED = """
import os, sys
from pathlib import Path
from indexer.daemon import watcher as module
module.RETRY_SECONDS = 0.0
raw = Path(sys.argv[1])
os.setuid(65534)
hints = []
watch = module.Watcher(raw, lambda: hints.append(1))
print(watch.ensure_watching(), watch.problem, flush=True)
sys.stdin.readline()
print(watch.ensure_watching(), watch.problem, flush=True)
watch.stop()
"""


@pytest.mark.needs("root")
def test_a_directory_that_may_not_be_read_is_no_watched_one(base: Path) -> None:
    """The library kept the refusal to itself: the status said "watching", and nothing came."""
    raw = base / "raw"
    raw.mkdir(parents=True)
    for path in (raw, *raw.parents):
        if "pytest" in str(path):
            path.chmod(0o755)
    raw.chmod(0o311)
    process = subprocess.Popen(
        [sys.executable, "-c", _REFUSED, str(raw)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    first = process.stdout.readline()
    raw.chmod(0o755)
    second, _ = process.communicate("\n", timeout=60)
    assert first.startswith("False no events: ")
    assert "Permission denied" in first
    assert second == "True \n"


def test_an_observer_that_dies_under_a_daemon(base: Path, client: TelemetryClient) -> None:
    """Its directory is gone for a while, and with it the watch: polling and a new watch follow."""
    with running_daemon(base, poll_interval=0.2, heartbeat=0.1):
        for number in range(1, 4):
            client.start_run("agent", "job")
            eventually(lambda number=number: count_runs(client.config) == number)
            eventually(lambda: _is_watching(client.config))
            delete(client.config.ndjson_dir)
            eventually(client.config.ndjson_dir.is_dir)
        client.start_run("agent", "job")
        eventually(lambda: count_runs(client.config) == 4)
