"""Hosts and server as processes that are killed, and what they write where."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest

from indexer.database.opening import open_or_rebuild
from indexer.fleet import fleet_shipping
from indexer.fleet.fleet_shipping import FleetShipping
from indexer.store.connection import open_reader
from tests.support.centre import Fleet, point_at
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


@pytest.mark.parametrize("hours", [4, pytest.param(72, marks=pytest.mark.laboratory)])
def test_an_outage_costs_a_host_nothing_but_lag(
    hours: int, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more than a probe every few minutes, and no line; then everything is shipped."""
    host = fleet.host()
    point_at(host.base, fleet.centre)
    clock = mock.Mock(wraps=time)
    now = [time.time()]
    clock.time.side_effect = lambda: now[0]
    monkeypatch.setattr(fleet_shipping, "time", clock)
    fleet.centre.server.plan(*[("503", "")] * 5_000)
    heard = threading.Event()
    shipping = FleetShipping(host.base, heard.set)
    hour = 3600.0
    with closing(open_or_rebuild(host.base)) as session:
        for number in range(hours):
            host.append(_work(f"run {number}", 10 * number))
            until = now[0] + hour
            while now[0] < until:
                session.run_pass()
                shipping.step(session)
                if shipping.wait < hour:
                    now[0] += max(shipping.wait, 1.0)
                else:
                    assert heard.wait(30)
                    heard.clear()
        probes = len(fleet.centre.server.requests())
        assert hours < probes < hours * 60
        fleet.centre.server.plan()
        assert fleet.centre.value("SELECT count() FROM log_lines") == 0
        while True:
            now[0] += hour
            heard.clear()
            shipping.step(session)
            if shipping.wait == float("inf") and not heard.wait(2):
                break
    shipping.stop()
    assert fleet.differences() == []
    assert host.verified().is_equal


def test_a_host_with_little_to_say_does_not_say_it_at_once(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes within two seconds of the last shipment goes as one: an insert is a part."""
    host = fleet.host()
    point_at(host.base, fleet.centre)
    clock = mock.Mock(wraps=time)
    now = [time.time()]
    clock.time.side_effect = lambda: now[0]
    monkeypatch.setattr(fleet_shipping, "time", clock)
    heard = threading.Event()
    shipping = FleetShipping(host.base, heard.set)
    runs = "SELECT count() FROM run_rows FINAL"
    with closing(open_or_rebuild(host.base)) as session:

        def step() -> None:
            session.run_pass()
            shipping.step(session)

        host.append(_work("first", 0))
        step()
        assert heard.wait(30)
        heard.clear()
        for number in range(1, 4):
            host.append(_work(f"run {number}", number))
            now[0] += 0.5
            step()
            assert 0 < shipping.wait <= 2.0
        assert fleet.centre.value(runs) == 1
        now[0] += 2
        step()
        assert heard.wait(30)
        step()
    shipping.stop()
    assert fleet.centre.value(runs) == 4


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
