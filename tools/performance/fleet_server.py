"""The centre of a simulated fleet: one real engine in a process of its own.

Called by the simulation and by the section. It may be killed and started again.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Optional

from indexer.fleet.schema.layout import Layout
from indexer.fleet.setup import create_centre
from indexer.fleet.wire.address import FleetAddress
from indexer.fleet.wire.client import FleetClient

_PATIENCE = 600.0
"""Seconds for an answer: in the end it is asked for sums over everything."""
_FRONT = "tests.support.clickhouse_front"


class FleetServer:
    """A server, with what it has on disk."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: Optional[subprocess.Popen[str]] = None
        self._port = 0
        self.start()

    def start(self) -> None:
        """Start it, on the port that it had."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", _FRONT, str(self._directory), str(self._port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """Kill it as `kill -9` does."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def create(self, database: str) -> FleetAddress:
        """Create the tables of a centre in a database; return its address."""
        address = FleetAddress(f"http://127.0.0.1:{self._port}/", database, timeout=_PATIENCE)
        with FleetClient(address) as client:
            create_centre(client, Layout(database))
        return address
