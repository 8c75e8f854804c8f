"""Hosts and server as processes that are killed, and what they write where."""

from __future__ import annotations

import gc
import math
import os
import shutil
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from indexer.database.opening import open_or_rebuild
from indexer.database.session import Session
from indexer.fleet import fleet_shipping
from indexer.fleet.fleet_shipping import FleetShipping
from indexer.store.connection import open_reader
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from tests.support.centre import Fleet, Host, point_at
from tests.support.cli import COMMAND, in_process
from tests.support.clickhouse import Centre, Server
from tests.support.daemon import eventually, running_daemon
from tests.support.database import event, lines_of
from tests.support.process import environment

pytestmark = pytest.mark.needs("clickhouse")

_INSERTS = [
    f"INSERT INTO `{table}`"
    for table in ("event_rows", "run_rows", "span_rows", "metric_rows", "log_lines", "node_rows")
]
_LITTLE = 200_000
"""Bytes: what caches of a process take that has just begun."""
_TOKEN = "hunter2-that-must-be-nowhere"


@pytest.fixture
def own(tmp_path: Path, hosts: Path) -> Iterator[Fleet]:
    """A fleet with a server of its own, which may be killed."""
    server = Server(tmp_path / "server" / "data", "shipper", _TOKEN)
    centre = Centre(server, "telemetry", user="shipper", token=_TOKEN)
    yield Fleet(centre, hosts)
    centre.client.close()
    server.kill()


def _work(run_id: str, first: int) -> bytes:
    some = [
        event(first, "run.started", run_id)._replace(data={"agent_name": "a"}),
        event(first + 1, "span.started", run_id)._replace(data={"span_id": "s", "kind": "llm"}),
        event(first + 2, "run.metrics", run_id)._replace(data={"metrics": {"loss": 0.5}}),
        event(first + 3, "run.ended", run_id)._replace(data={"status": "success"}),
    ]
    return lines_of(some)


def _runs_in(database: Path) -> int:
    with closing(open_reader(database)) as reader:
        return int(reader.execute("SELECT count(*) FROM agent_runs").fetchone()[0])


def _credentials(token: str = _TOKEN) -> dict[str, str]:
    return {"TELEMETRY_FLEET_USER": "shipper", "TELEMETRY_FLEET_TOKEN": token}


def test_a_server_that_is_killed_at_any_step_has_all_rows_in_the_end(own: Fleet) -> None:
    """It dies right after it stored each part, and is started again with what it has on disk."""
    host, other = own.host(), own.host()
    for one in own.hosts:
        point_at(one.base, own.centre)
    other.append(_work("shared", 50))
    assert in_process(other.base.directory, "forward", **_credentials()).code == 0
    for number, step in enumerate(_INSERTS):
        host.append(_work(f"run {number}", 100 * number), _work("shared", 70 + number))
        own.centre.server.plan(("die after", step))
        ran = in_process(host.base.directory, "forward", **_credentials())
        assert ran.code == 3, step
        own.centre.server.wait()
        own.centre.server.start()
    assert in_process(host.base.directory, "forward", "retry", **_credentials()).code == 0
    assert in_process(host.base.directory, "forward", **_credentials()).code == 0
    assert own.differences() == []
    for one in own.hosts:
        assert in_process(one.base.directory, "fleet", "verify", **_credentials()).code == 0


def test_a_host_that_is_killed_at_any_step_sends_the_rest_when_it_is_back(own: Fleet) -> None:
    """Each part was stored, and the host dies before it hears of it: its cursor has not moved."""
    host, other = own.host(), own.host()
    point_at(host.base, own.centre)
    other.append(_work("shared", 50))
    other.ship()
    for number, step in enumerate(_INSERTS):
        host.append(_work(f"run {number}", 100 * number), _work("shared", 70 + number))
        own.centre.server.requests()
        own.centre.server.plan(("hold after", step))
        process = subprocess.Popen(
            [*COMMAND, "--base", str(host.base.directory), "forward"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(**_credentials()),
        )
        asked: list[str] = []

        def is_held(asked: list[str] = asked, process: subprocess.Popen[bytes] = process) -> bool:
            asked += own.centre.server.requests()
            assert process.poll() is None
            return any(one.startswith("held") for one in asked)

        eventually(is_held)
        process.kill()
        process.communicate()
    assert in_process(host.base.directory, "forward", **_credentials()).code == 0
    assert own.differences() == []
    assert in_process(host.base.directory, "fleet", "verify", **_credentials()).code == 0


def test_the_daemon_ships_and_catches_up_after_an_outage(own: Fleet) -> None:
    """The server is away, and agents and daemon go on; when it is back all is shipped."""
    host = own.host()
    point_at(host.base, own.centre)
    host.append(_work("first", 1))
    count = "SELECT count() FROM run_rows FINAL"
    with running_daemon(host.base.directory, **_credentials()):
        eventually(lambda: own.centre.value(count) == 1)
        own.centre.server.kill()
        host.append(_work("meanwhile", 20))
        eventually(lambda: _runs_in(host.base.database_path) == 2)
        own.centre.server.start()
        eventually(lambda: own.centre.value(count) == 2)
    assert own.differences() == []


class _Story:
    """A host that ships as in a daemon, by a clock that the test moves."""

    def __init__(self, host: Host, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.time()
        self._session = session
        self._heard = threading.Event()
        # Not a mock, which would remember each time that it was asked.
        clock = SimpleNamespace(time=lambda: self.now)
        monkeypatch.setattr(fleet_shipping, "time", clock)
        self.shipping = FleetShipping(host.base, self._heard.set)

    def step(self) -> None:
        """What the daemon does when it wakes."""
        self._session.run_pass()
        self.shipping.step(self._session)

    def hear(self) -> None:
        """Wait for the end of a round."""
        assert self._heard.wait(60)
        self._heard.clear()


@pytest.fixture
def quiet(fleet: Fleet, request: pytest.FixtureRequest) -> Host:
    """A host whose settings name the centre, which has nothing of it yet; with further settings."""
    host = fleet.host()
    point_at(host.base, fleet.centre, more=getattr(request, "param", ""))
    return host


@pytest.fixture
def story(quiet: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Story]:
    """Its story."""
    with closing(open_or_rebuild(quiet.base)) as session:
        story = _Story(quiet, session, monkeypatch)
        yield story
        story.shipping.stop()


@pytest.mark.parametrize("hours", [4, pytest.param(72, marks=pytest.mark.laboratory)])
def test_an_outage_costs_a_host_nothing_but_lag(
    hours: int, fleet: Fleet, quiet: Host, story: _Story
) -> None:
    """Few probes, no line lost, nothing on disk or in memory but the log's own rows."""
    hour = 3600.0
    lines = "SELECT count() FROM log_lines"
    fleet.centre.server.plan(*[("503", "")] * 5_000)
    held: list[int] = []
    with _tracing():
        for number in range(hours):
            quiet.append(_work(f"run {number}", 10 * number))
            until = story.now + hour
            while story.now < until:
                story.step()
                if story.shipping.wait < hour:
                    story.now += max(story.shipping.wait, 1.0)
                else:
                    story.hear()
            # The pass goes on, whatever the centre does.
            assert _runs_in(quiet.base.database_path) == number + 1
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    probes = len(fleet.centre.server.requests())
    assert hours < probes < hours * 60
    assert held[-1] - held[hours // 4] < _LITTLE
    assert not quiet.state_file.exists()
    alone = _without_a_centre(quiet, fleet.directory / "alone")
    assert _files(quiet.base) == _files(alone)
    assert _pages(quiet.base) <= _pages(alone) + 1
    fleet.centre.server.plan()
    assert fleet.centre.value(lines) == 0
    while fleet.centre.value(lines) < 4 * hours:
        story.now += hour
        story.step()
        if story.shipping.wait == math.inf:
            story.hear()
    story.shipping.stop()
    assert fleet.differences() == []
    assert quiet.verified().is_equal


@contextmanager
def _tracing() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def _without_a_centre(host: Host, directory: Path) -> Base:
    """A host that has the same log, and never heard of a centre."""
    base = Base(TelemetryConfig.for_base(directory))
    shutil.copytree(host.base.log_directory, base.log_directory)
    with closing(open_or_rebuild(base)) as session:
        session.run_pass()
    return base


def _files(base: Base) -> set[str]:
    """Everything in a base but its settings and SQLite's companions."""
    names = {path.relative_to(base.directory).as_posix() for path in base.directory.rglob("*")}
    return {name for name in names if not name.startswith("config") and "sqlite-" not in name}


def _pages(base: Base) -> int:
    with closing(open_reader(base.database_path)) as reader:
        return int(reader.execute("PRAGMA page_count").fetchone()[0])


def test_a_host_with_little_to_say_does_not_say_it_at_once(
    fleet: Fleet, quiet: Host, story: _Story
) -> None:
    """What comes within two seconds of the last shipment goes as one: an insert is a part."""
    runs = "SELECT count() FROM run_rows FINAL"
    quiet.append(_work("first", 0))
    story.step()
    story.hear()
    for number in range(1, 4):
        quiet.append(_work(f"run {number}", number))
        story.now += 0.5
        story.step()
        assert 0 < story.shipping.wait <= 2.0
    assert fleet.centre.value(runs) == 1
    story.now += 2
    story.step()
    story.hear()
    story.step()
    assert fleet.centre.value(runs) == 4


@pytest.mark.parametrize("quiet", ["rate = 0.1\nin_flight = 1"], indirect=True)
def test_a_host_ships_no_more_often_than_its_target_allows(quiet: Host, story: _Story) -> None:
    """Where very many hosts ship to one centre, each makes a round in ten seconds."""
    for number in range(3):
        quiet.append(_work(f"run {number}", 10 * number))
        story.step()
        story.hear()
        quiet.append(_work(f"late run {number}", 10 * number))
        story.step()
        assert 1.9 < story.shipping.wait <= 2.0
        story.now += 2.0
        story.step()
        assert 7.9 < story.shipping.wait <= 8.0
        story.now += 8.1


@pytest.mark.parametrize("token", [_TOKEN, "wrong-" + _TOKEN])
def test_the_password_is_in_no_file_log_or_error(own: Fleet, token: str) -> None:
    """Whether it is right or wrong: of commands with all their messages, and of all files."""
    host = own.host()
    point_at(host.base, own.centre)
    host.append(_work("run", 1))
    credentials = _credentials(token)
    expected = 0 if token == _TOKEN else 3
    said = ""
    for command in (
        ("--verbose", "forward"),
        ("--verbose", "fleet", "verify"),
        ("--verbose", "fleet", "status"),
        ("--verbose", "forward", "test", "fleet"),
        ("--verbose", "status"),
        ("--verbose", "doctor"),
    ):
        ran = in_process(host.base.directory, *command, **credentials)
        said += ran.out + ran.err
        if command[1:2] == ("forward",) and len(command) == 2:
            assert ran.code == expected
    with running_daemon(host.base.directory, **credentials) as daemon:
        host.append(_work("later", 20))
        eventually(lambda: _runs_in(host.base.database_path) == 2)
    assert daemon.returncode == 0
    assert _TOKEN not in said
    for directory, _, names in os.walk(host.base.directory):
        for name in names:
            assert _TOKEN.encode() not in (Path(directory) / name).read_bytes(), name
