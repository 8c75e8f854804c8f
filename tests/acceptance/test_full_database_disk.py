"""The disk of the database alone is full: the log goes on, the daemon lives and says why."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry_core import TelemetryClient
from telemetry_core.line import encode
from tests.support.daemon import eventually, start_daemon
from tests.support.database import event
from tests.support.mounts import Namespace, can_mount, namespace
from tests.support.process import environment

pytestmark = pytest.mark.skipif(not can_mount(), reason="may not mount")

_CHECK = """
import sys
from pathlib import Path
from telemetry_core import TelemetryConfig
from tests.support.oracle import events_of, judge
config = TelemetryConfig.for_base(Path(sys.argv[1]))
judge(config)
print(len({event.id for event in events_of(config.ndjson_dir)}))
"""
_COUNT = """
import sys
from pathlib import Path
from telemetry_core import TelemetryConfig
from tests.support.database import count_runs
print(count_runs(TelemetryConfig.for_base(Path(sys.argv[1]))))
"""


@pytest.fixture
def inside(base: Path) -> Iterator[Namespace]:
    """A namespace in which `db/` is a small disk of its own."""
    (base / "db").mkdir(parents=True, mode=0o700)
    with namespace() as made:
        made.run("mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", base / "db")
        yield made


def _python(inside: Namespace, code: str, base: Path) -> int:
    done = subprocess.run(
        [*inside.enter, sys.executable, "-c", code, str(base)],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def _status(inside: Namespace, base: Path) -> tuple[int, dict[str, object]]:
    done = subprocess.run(
        [*inside.enter, sys.executable, "-m", "indexer", "--base", str(base), "status", "--json"],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("by", ["the view", "a stranger"])
def test_a_full_disk_of_the_database_loses_nothing(
    base: Path, client: TelemetryClient, inside: Namespace, by: str
) -> None:
    """Filled by its own growth or by another file; given room, all is there, and once."""
    recorded = [client.start_run("agent", "first")]
    daemon = start_daemon(base, poll_interval=0.05, heartbeat=0.2, within=inside.enter)
    try:
        eventually(lambda: _python(inside, _COUNT, base) == 1)
        if by == "a stranger":
            inside.run("sh", "-c", f"cat /dev/zero > {base}/db/stranger || true")
        large = [event(n, "run.started", f"large-{n}", odd="x" * 10_000) for n in range(400)]
        with (base / "raw" / "events_20260101.ndjson").open("wb") as file:
            for one in large:
                file.write(encode(one))
        assert daemon.stderr is not None
        eventually(lambda: "full" in daemon.stderr.readline())
        recorded += [client.start_run("agent", "meanwhile") for _ in range(20)]
        assert daemon.poll() is None
        code, status = _status(inside, base)
        assert code == 3
        assert any("its disk has only" in problem for problem in status["problems"])
        inside.run("mount", "-o", "remount,size=64m", base / "db")
        eventually(lambda: _python(inside, _COUNT, base) == 421)
        code, status = _status(inside, base)
        assert (code, status["problems"]) == (0, [])
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=60)
        assert daemon.returncode == 0
    finally:
        if daemon.poll() is None:
            daemon.kill()
            daemon.communicate()
    assert _python(inside, _CHECK, base) == 400 + len(recorded)


def test_a_daemon_that_is_started_on_a_full_disk_says_so(
    base: Path, client: TelemetryClient, inside: Namespace
) -> None:
    """It can't even note who it is: it ends with a next step, and leaves nothing in the way."""
    inside.run("sh", "-c", f"cat /dev/zero > {base}/db/stranger || true")
    client.start_run("agent", "job")
    command = [*inside.enter, sys.executable, "-m", "indexer", "--base", str(base), "index"]
    for more in ([], ["--watch"]):
        done = subprocess.run(
            [*command, *more], capture_output=True, text=True, env=environment(), check=False
        )
        assert done.returncode == 1
        assert "Free some space" in done.stderr
    inside.run("rm", base / "db" / "stranger")
    assert _python(inside, _CHECK, base) == 1
