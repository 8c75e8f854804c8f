"""Simulate a fleet: many hosts that share runs and ship to one real engine, with outages.

Called by the section of that name. Every host is a base of its own, indexed and shipped by the
project's own code in this process; the server is another process.
"""

from __future__ import annotations

import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Optional
from zlib import crc32

from indexer.database.freshness import index_once
from indexer.fleet.checking.verify import verify
from indexer.fleet.errors import FleetError
from indexer.fleet.schema.layout import Layout
from indexer.fleet.setup import create_centre
from indexer.fleet.shipping.content import Withholding
from indexer.fleet.shipping.round import Shipping
from indexer.fleet.shipping.rows import row_json
from indexer.fleet.shipping.state import load_state
from indexer.fleet.wire.address import FleetAddress
from indexer.fleet.wire.client import FleetClient
from indexer.store.connection import open_reader
from indexer.store.schema.columns import RUN_COLUMNS
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from telemetry_core.event import Event
from telemetry_core.line import encode

EVENTS_OF_RUN = 47
_SHARED = 0.08
_DATABASE = "telemetry"
_FRONT = "tests.support.clickhouse_front"
_START = 1_795_000_000
_SEGMENT = "events_20261118.ndjson"
_EVENT = "event_id, event_type, timestamp, type, source, ifnull(payload_json, '')"


class Turn(NamedTuple):
    """What all hosts shipped in one turn."""

    lines: int
    wall: float
    """Seconds that shipping took, waiting for the server included."""
    processor: float
    """Seconds of this process's processor that shipping took, all hosts together."""
    index_processor: float
    """... and that indexing took."""
    peak_bytes: int
    """The most memory that this process has had so far."""


@dataclass
class Fleet:
    """Hosts with their logs, and the server."""

    directory: Path
    hosts: int
    events: int
    turns: int = 10
    lost: list[Path] = field(default_factory=list)
    """Logs of hosts that were restored: the centre has what only these have."""

    def __post_init__(self) -> None:
        self._chance = random.Random(7)  # noqa: S311  # the same fleet each time
        self._number = 0
        self.bases = [
            Base(TelemetryConfig.for_base(self.directory / f"host{number}"))
            for number in range(self.hosts)
        ]
        for base in self.bases:
            base.log_directory.mkdir(parents=True)
        self._server: Optional[subprocess.Popen[str]] = None
        self._port = 0
        self.start_server()
        self.address = FleetAddress(f"http://127.0.0.1:{self._port}/", _DATABASE)
        self.client = FleetClient(self.address)
        create_centre(self.client, Layout(_DATABASE))

    def start_server(self) -> None:
        """Start the server, on what it has on disk."""
        self._server = subprocess.Popen(
            [sys.executable, "-m", _FRONT, str(self.directory / "server"), str(self._port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout is not None
        self._port = int(self._server.stdout.readline())

    def stop_server(self) -> None:
        """Kill the server."""
        if self._server is not None:
            self._server.kill()
            self._server.communicate()
            self._server = None

    def run(self) -> Iterator[Turn]:
        """Have hosts record, index and ship, with all that happens; yield each turn."""
        kept = self.directory / "backup"
        for turn in range(self.turns):
            if turn == self.turns * 3 // 10:
                self.stop_server()
            if turn == self.turns * 5 // 10:
                self.start_server()
                shutil.copytree(self.bases[0].log_directory, kept)
            if turn == self.turns * 8 // 10:
                self._restore(kept)
            self._record(self.events // self.turns)
            # A tenth of the hosts is away; in the end nobody is. The first never: what it loses
            # was shipped, or nobody would have it.
            away = 0.1 if turn < self.turns - 1 else 0.0
            there = [base for base in self.bases[1:] if self._chance.random() >= away]
            yield self._ship([self.bases[0], *there])

    def _restore(self, kept: Path) -> None:
        """Have the first host lose everything since its backup, its database included."""
        base = self.bases[0]
        lost = self.directory / f"lost{len(self.lost)}"
        shutil.copytree(base.log_directory, lost)
        self.lost.append(lost)
        shutil.rmtree(base.directory)
        shutil.copytree(kept, base.log_directory)

    def _ship(self, some: list[Base]) -> Turn:
        lines = 0
        wall = processor = index_processor = 0.0
        for base in some:
            begun = time.process_time()
            index_once(base)
            index_processor += time.process_time() - begun
            begun, at = time.process_time(), time.monotonic()
            lines += self._ship_one(base)
            processor += time.process_time() - begun
            wall += time.monotonic() - at
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return Turn(lines, wall, processor, index_processor, peak)

    def _ship_one(self, base: Base) -> int:
        state = load_state(base, "fleet", self.address)
        shipping = Shipping(base, self.client, state, Withholding(ships_content=True))
        lines = 0
        try:
            while True:
                done = shipping.ship_round()
                lines += done.lines
                if done.is_last:
                    return lines
        except FleetError:
            # The centre is away: the next turn sends it.
            return lines

    def _record(self, events: int) -> None:
        """Append runs to the logs of one host, or of two or three that have it in common."""
        written: dict[int, list[bytes]] = {}
        for _ in range(events // EVENTS_OF_RUN):
            some = 1 if self._chance.random() >= _SHARED else self._chance.choice((2, 3))
            owners = self._chance.sample(range(self.hosts), min(some, self.hosts))
            for line in self._run():
                written.setdefault(self._chance.choice(owners), []).append(line)
        for number, lines in written.items():
            with open(self.bases[number].log_directory / _SEGMENT, "ab") as file:
                file.write(b"".join(lines))

    def _run(self) -> Iterator[bytes]:
        run_id = f"run-{self._number:012x}"
        for step in range(EVENTS_OF_RUN):
            self._number += 1
            second, fraction = divmod(self._number * 200, 1_000_000)
            moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(_START + second))
            kind = "run.event"
            data: dict[str, Any] = {"event_type": "page", "payload": {"n": step, "url": "x" * 60}}
            if step == 0:
                kind, data = "run.started", {"agent_name": f"agent{self._number % 50}"}
            elif step == EVENTS_OF_RUN - 1:
                kind, data = "run.ended", {"status": "success", "items_succeeded": step}
            event_id = f"{self._number:08x}-0000-7000-8000-{self._number:012x}"
            time_text = f"{moment}.{fraction:06d}Z"
            yield encode(Event(event_id, "host/1", kind, run_id, time_text, data))

    def unequal_hosts(self) -> int:
        """Return of how many hosts the centre lacks something."""
        unequal = 0
        for base in self.bases:
            with closing(open_reader(base.database_path)) as reader:
                found = verify(base, reader, self.client, ships_content=True)
            unequal += not found.findings.is_equal
        return unequal

    def rows_that_differ(self) -> int:
        """Return how many runs differ from an index over all logs, by their rows and events."""
        union = self._union()
        with closing(sqlite3.connect(union.database_path)) as database:
            names = ", ".join(RUN_COLUMNS)
            rows = database.execute(f"SELECT {names} FROM agent_runs")
            wanted = {row[0]: row_json(dict(zip(RUN_COLUMNS, row))) for row in rows}
            sums: dict[str, int] = {}
            for run_id, *said in database.execute(f"SELECT run_id, {_EVENT} FROM run_events"):
                sums[run_id] = sums.get(run_id, 0) + crc32("\n".join(said).encode())
        _, found = self.client.select("SELECT run_id, row FROM run_rows FINAL")
        _, summed = self.client.select(
            f"SELECT run_id, sum(CRC32(concatWithSeparator('\\n', {_EVENT}))) FROM run_events"
            " GROUP BY run_id"
        )
        rows_there = {row[0]: row[1] for row in found}
        sums_there = {row[0]: int(row[1]) for row in summed}
        return sum(
            rows_there.get(run_id) != wanted.get(run_id)
            or sums_there.get(run_id) != sums.get(run_id)
            for run_id in {*wanted, *rows_there, *sums, *sums_there}
        )

    def _union(self) -> Base:
        union = Base(TelemetryConfig.for_base(self.directory / "union"))
        union.log_directory.mkdir(parents=True)
        logs = [*(base.log_directory for base in self.bases), *self.lost]
        for number, log in enumerate(logs):
            for file in log.glob("events_*"):
                (union.log_directory / f"{file.stem}.host{number}-1.ndjson").symlink_to(file)
        index_once(union)
        return union

    def bytes_on_disk(self) -> int:
        """Return what the server's tables take."""
        _, rows = self.client.select(
            f"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = '{_DATABASE}'"
        )
        return int(rows[0][0])

    def close(self) -> None:
        """End the server."""
        self.client.close()
        self.stop_server()
