"""One server for all tests of a process; each test has a database of its own there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.support.centre import Fleet
from tests.support.clickhouse import Centre, Server

_NUMBERS = count()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server."""
    server = Server(tmp_path_factory.mktemp("clickhouse") / "data")
    yield server
    server.kill()


@pytest.fixture
def centre(server: Server) -> Iterator[Centre]:
    """An empty centre; what others asked is forgotten, and what is planned and does not come."""
    server.requests()
    centre = Centre(server, f"centre_{next(_NUMBERS)}")
    yield centre
    centre.client.close()
    server.plan()


@pytest.fixture(scope="module")
def module_centre(server: Server) -> Iterator[Centre]:
    """A centre for all tests of a module; another one where the module is begun again."""
    centre = Centre(server, f"centre_{next(_NUMBERS)}")
    yield centre
    centre.client.close()


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    """A directory for the bases of several hosts."""
    return tmp_path / "hosts"


@pytest.fixture
def fleet(centre: Centre, hosts: Path) -> Fleet:
    """A fleet without hosts yet."""
    return Fleet(centre, hosts)
