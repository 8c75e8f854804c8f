"""A real ClickHouse server for a smoke test: a given one, one on the path, or one in a container.

What is started here listens on loopback, belongs to the test's user, has its directory and its
password from the test, and ends with it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Optional

import httpx

from indexer.fleet.wire.address import FleetAddress
from tests.support.daemon import eventually
from tests.support.process import ROOT

URL_VARIABLE = "CLICKHOUSE_TEST_URL"
USER_VARIABLE = "CLICKHOUSE_TEST_USER"
PASSWORD_VARIABLE = "CLICKHOUSE_TEST_PASSWORD"  # a name
_COMPOSE_FILE = ROOT / "docs/deploy/fleet-single/compose.yaml"
_SECONDS = 60.0
_OLDEST_WHOLE = 24
"""The first year's servers of which everything is asked; of older ones only the wire."""

# The root element's name of 2018 is read by every version.
_CONFIG = """<yandex>
  <logger><level>warning</level><log>{directory}/log</log><errorlog>{directory}/err</errorlog></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>{port}</http_port>
  <path>{directory}/data/</path>
  <tmp_path>{directory}/data/tmp/</tmp_path>
  <user_files_path>{directory}/data/user_files/</user_files_path>
  <format_schema_path>{directory}/data/format_schemas/</format_schema_path>
  <users_config>{directory}/users.xml</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <mark_cache_size>67108864</mark_cache_size>
</yandex>
"""
_USERS = """<yandex>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users><default>
    <password>{password}</password>
    <networks><ip>127.0.0.1</ip></networks>
    <profile>default</profile>
    <quota>default</quota>
  </default></users>
</yandex>
"""


class NoServer(Exception):
    """There is no server here; the message says what was looked for."""


class RealServer(NamedTuple):
    """A server that answers."""

    url: str
    user: str
    password: str
    version: str

    @property
    def is_whole(self) -> bool:
        """Whether it knows all that the project asks of a server."""
        return int(self.version.partition(".")[0]) >= _OLDEST_WHOLE

    def address(self, database: str, password: Optional[str] = None) -> FleetAddress:
        """One of its databases; with its own password unless another is given."""
        token = self.password if password is None else password
        return FleetAddress(self.url, database, self.user, token)

    def ask(self, sql: str) -> bytes:
        """What it answers to somebody who does not use the project's client."""
        headers = {"X-ClickHouse-User": self.user, "X-ClickHouse-Key": self.password}
        answer = httpx.post(self.url, content=sql.encode(), headers=headers, timeout=_SECONDS)
        assert answer.status_code == 200, answer.text
        return answer.content


@contextmanager
def real_server(directory: Path) -> Iterator[RealServer]:
    """Give a server, with an empty directory for what it keeps. Raises NoServer."""
    given, command, docker = os.environ.get(URL_VARIABLE), _command(), shutil.which("docker")
    if given:
        user, password = os.environ.get(USER_VARIABLE, ""), os.environ.get(PASSWORD_VARIABLE, "")
        yield _asked(given, user, password)
    elif command:
        with _started(command, directory) as server:
            yield server
    elif docker and _has_image(docker):
        with _in_container(docker) as server:
            yield server
    else:
        raise NoServer(
            f"no ClickHouse server: {URL_VARIABLE} is not set, neither clickhouse-server nor"
            f" clickhouse is on the path, and Docker has no image {_image()}"
        )


def _command() -> Optional[list[str]]:
    # Debian has it where only root looks.
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
    server, whole = shutil.which("clickhouse-server", path=path), shutil.which("clickhouse")
    return [server] if server else [whole, "server"] if whole else None


@contextmanager
def _started(command: list[str], directory: Path) -> Iterator[RealServer]:
    password, port = secrets.token_hex(), _free_port()
    (directory / "config.xml").write_text(_CONFIG.format(directory=directory, port=port))
    (directory / "users.xml").write_text(_USERS.format(password=password))
    with open(directory / "output", "wb") as output:
        process = subprocess.Popen(
            [*command, f"--config-file={directory}/config.xml"],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        url = f"http://127.0.0.1:{port}/"
        eventually(lambda: process.poll() is not None or _answers(url), _SECONDS)
        assert process.poll() is None, (directory / "output").read_text(errors="replace")
        yield _asked(url, "default", password)
    finally:
        process.terminate()
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _in_container(docker: str) -> Iterator[RealServer]:
    password = secrets.token_hex()
    name = _run(
        docker,
        *("run", "--detach", "--rm", "--publish", "127.0.0.1::8123"),
        *("--env", "CLICKHOUSE_USER=telemetry", "--env", f"CLICKHOUSE_PASSWORD={password}"),
        _image(),
    )
    try:
        url = f"http://{_run(docker, 'port', name, '8123/tcp').splitlines()[0]}/"
        eventually(lambda: _answers(url), _SECONDS)
        yield _asked(url, "telemetry", password)
    finally:
        _run(docker, "rm", "--force", name)


def _asked(url: str, user: str, password: str) -> RealServer:
    server = RealServer(url, user, password, "")
    return server._replace(version=server.ask("SELECT version()").decode().strip())


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}ping", timeout=_SECONDS) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _image() -> str:
    """The image that the docs tell operators to run."""
    found = re.search(r"image: (\S+)", _COMPOSE_FILE.read_text())
    assert found is not None
    return found[1]


def _has_image(docker: str) -> bool:
    found = subprocess.run([docker, "image", "inspect", _image()], capture_output=True, check=False)
    return found.returncode == 0


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
