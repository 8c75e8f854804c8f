"""Bounded whatever its clients do, and gone when it is asked to go."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("starlette", reason="the page needs the extra `ui`, and Python 3.10")

from indexer.system.base import DAEMON, Base
from indexer.ui import server as server_module
from indexer.ui.launch import NotServed, Serving, link_to, serve
from telemetry_core import TelemetryClient
from tests.support.browser import Server, serving
from tests.support.daemon import eventually
from tests.support.process import environment


@pytest.fixture
def page(base: Path, client: TelemetryClient) -> Iterator[Server]:
    """The page of a base with a run."""
    with client.track_run("agent", "job"):
        pass
    with serving(base) as one:
        yield one


def _secret(base: Path) -> dict[str, str]:
    known = json.loads((base / "config" / "ui.json").read_text())
    return {"authorization": f"Bearer {known['secret']}"}


def _connect(page: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", page.port), timeout=30)


def test_the_secret_is_for_its_owner_alone(base: Path, page: Server) -> None:
    """Nobody else on the machine can read the file that opens the page."""
    if os.name == "posix":
        # Elsewhere its directory keeps others out.
        assert os.stat(base / "config" / "ui.json").st_mode & 0o777 == 0o600
    answer = httpx.get(f"{page.url}/runs.json", headers=_secret(base))
    assert answer.json().keys() >= {"runs"}


def test_a_request_that_never_ends_is_cut_off(page: Server) -> None:
    """Who sends a byte now and then does not hold a connection for ever."""
    with _connect(page) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
        # Closed, or reset, without an answer.
        try:
            assert slow.recv(100) == b""
        except ConnectionResetError:
            pass


def test_a_head_has_a_length(page: Server) -> None:
    """A header without end is refused."""
    with _connect(page) as big:
        try:
            big.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 200_000)
            answer = big.recv(100)
        except ConnectionError:
            answer = b""
    assert not answer or answer.startswith(b"HTTP/1.1 400")


def test_many_connections_do_not_keep_the_owner_out(base: Path, page: Server) -> None:
    """Silent ones are dropped; until then the server says that it is busy, and lives."""
    crowd = [_connect(page) for _ in range(2 * server_module.MOST_CONNECTIONS + 10)]
    try:

        def is_answered() -> bool:
            try:
                answer = httpx.get(f"{page.url}/runs.json", headers=_secret(base), timeout=5)
            except httpx.HTTPError:
                return False
            return answer.status_code == 200

        eventually(is_answered)
    finally:
        for one in crowd:
            one.close()


@pytest.mark.needs("signals")
@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_it_ends_at_once_with_its_indexer_and_open_streams(
    base: Path, page: Server, how: str
) -> None:
    """Exit code 0, no child left, whatever listens."""
    lease = Base.at(base, {}).indexer_lease("")
    eventually(lambda: lease.holder().get("purpose") == DAEMON)
    with httpx.stream("GET", f"{page.url}/events", headers=_secret(base)) as stream:
        next(stream.iter_raw())
        page.process.send_signal(getattr(signal, how))
        page.process.communicate(timeout=60)
    assert page.process.returncode == 0
    assert lease.holder().get("purpose") != DAEMON


def test_a_link_for_another_browser(base: Path, page: Server) -> None:
    """`telemetry ui --link` prints one that works, once."""
    link = link_to(Base.at(base, {}), "/runs")
    headers = {"sec-fetch-site": "none", "sec-fetch-dest": "document"}
    first = httpx.get(link, headers=headers)
    assert (first.status_code, first.headers["location"]) == (303, "/runs")
    assert httpx.get(link, headers=headers).status_code == 403


def test_without_a_server_there_is_no_link(base: Path) -> None:
    """It says what to start."""
    with pytest.raises(NotServed, match="no page is served"):
        link_to(Base.at(base, {}))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.com"])
def test_it_listens_on_this_machine_only(base: Path, host: str) -> None:
    """Any other address is refused before anything listens."""
    with pytest.raises(NotServed, match="loopback"):
        serve(Base.at(base, {}), Serving(host, 0, False, []), print)
    assert not base.exists()


def test_a_port_that_is_taken_is_said(base: Path, page: Server) -> None:
    """With what to do."""
    with pytest.raises(NotServed, match="in use"):
        serve(Base.at(base, {}), Serving("127.0.0.1", page.port, False, []), print)


def test_without_the_extra_the_command_says_what_to_install(base: Path) -> None:
    """One line, and nothing is imported before."""
    code = """
import sys
sys.modules["starlette"] = None
from indexer.cli.main import run
sys.exit(run(["--base", sys.argv[1], "ui"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(base)], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 1
    assert "local-telemetry[ui]" in done.stderr
    assert "Traceback" not in done.stderr
