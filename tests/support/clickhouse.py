"""A centre for tests: the real engine in a process of its own, and the project's own client.

Needs chdb-core, which is in the extra `fleet-test`; without it these tests are skipped.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from indexer.fleet.schema.layout import Layout
from indexer.fleet.setup import create_centre
from indexer.fleet.wire.address import FleetAddress
from indexer.fleet.wire.client import FleetClient, rows_as_dicts
from tests.support.process import environment


class Server:
    """A server that may be killed and started again, with what it has on disk."""

    def __init__(self, directory: Path, user: str = "", token: str = "") -> None:
        self._directory = directory
        self._credentials = (user, token)
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it, on the port it had."""
        module = ("-m", "tests.support.clickhouse_front")
        arguments = (str(self._directory), str(self.port), *self._credentials)
        self._process = subprocess.Popen(
            [sys.executable, *module, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """Kill it as `kill -9` does."""
        self._process.kill()
        self._process.communicate()

    def wait(self) -> None:
        """Wait until it has ended by itself."""
        self._process.communicate()

    def plan(self, *faults: tuple[str, str]) -> None:
        """Have the next requests fail: each fault is how, and a part of the request's SQL.

        A status; `wrong credentials`; `reset before`, or `reset after` it was carried out, as where
        the answer is lost; `hold after`, with no answer at all; `die after`; or `pass`.
        """
        plan = [{"how": how, "on": on} for how, on in faults]
        request = urllib.request.Request(f"{self.url}_plan", json.dumps(plan).encode())
        urllib.request.urlopen(request).close()

    def requests(self) -> list[str]:
        """What was asked since the last time."""
        with urllib.request.urlopen(f"{self.url}_requests") as answer:
            return list(json.loads(answer.read()))


class Centre:
    """One database of a server, with all its tables."""

    def __init__(self, server: Server, database: str, **credentials: str) -> None:
        self.server = server
        self.address = FleetAddress(server.url, database, **credentials)
        self.client = FleetClient(self.address)
        create_centre(self.client, Layout(database))

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query."""
        return list(rows_as_dicts(self.client.select(sql)))

    def value(self, sql: str) -> Any:
        """The one value of a query."""
        return self.client.select(sql)[1][0][0]
