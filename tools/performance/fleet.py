"""Simulate a fleet: many hosts that share runs and ship to one real engine, with outages.

Called by the section of that name. Every host is a base of its own, indexed and shipped by the
project's own code in this process; the server is another process.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from indexer.database.freshness import index_once
from indexer.fleet.checking.verify import verify
from indexer.fleet.schema.layout import text
from indexer.fleet.shipping.rows import row_json
from indexer.fleet.wire.client import FleetClient
from indexer.store.connection import open_reader
from indexer.store.schema.columns import RUN_COLUMNS
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from tools.performance.fleet_host import Host, Work, peak_bytes
from tools.performance.fleet_log import FleetLog
from tools.performance.fleet_server import FleetServer

_DATABASE = "telemetry"
_AT_ONCE = 20_000
"""Runs that are compared with one question."""
_EVENT = "event_id, event_type, timestamp, type, source, ifnull(payload_json, '')"


class Turn(NamedTuple):
    """What all hosts did in one turn."""

    hosts: int
    """How many were there."""
    indexed: Work
    shipped: Work
    """After an outage, lines of earlier turns are among them."""
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
        self.bases = [
            Base(TelemetryConfig.for_base(self.directory / f"host{number}"))
            for number in range(self.hosts)
        ]
        for base in self.bases:
            base.log_directory.mkdir(parents=True)
        self._log = FleetLog([base.log_directory for base in self.bases], self._chance)
        self.server = FleetServer(self.directory / "server")
        self.client = FleetClient(self.server.create(_DATABASE))
        self._hosts = [Host(base, self.client) for base in self.bases]

    def run(self) -> Iterator[Turn]:
        """Have hosts record, index and ship, with all that happens; yield each turn."""
        kept = self.directory / "backup"
        for turn in range(self.turns):
            if turn == self.turns * 3 // 10:
                self.server.kill()
            if turn == self.turns * 5 // 10:
                self.server.start()
                shutil.copytree(self.bases[0].log_directory, kept)
            if turn == self.turns * 8 // 10:
                self._restore(kept)
            self._log.record(self.events // self.turns)
            # A tenth of the hosts is away; in the end nobody is. The first never: what it loses
            # was shipped, or nobody would have it.
            away = 0.1 if turn < self.turns - 1 else 0.0
            there = [host for host in self._hosts[1:] if self._chance.random() >= away]
            yield self._ship([self._hosts[0], *there])

    def _restore(self, kept: Path) -> None:
        """Have the first host lose everything since its backup, its database included."""
        base = self.bases[0]
        self._hosts[0].close()
        lost = self.directory / f"lost{len(self.lost)}"
        shutil.copytree(base.log_directory, lost)
        self.lost.append(lost)
        shutil.rmtree(base.directory)
        shutil.copytree(kept, base.log_directory)

    def _ship(self, some: list[Host]) -> Turn:
        done = [(host.index(), host.ship()) for host in some]
        indexed, shipped = (_sum(works) for works in zip(*done))
        return Turn(len(some), indexed, shipped, peak_bytes())

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
        rows_there, sums_there = self._in_the_centre(sorted(wanted))
        return sum(
            rows_there.get(run_id) != wanted.get(run_id)
            or sums_there.get(run_id) != sums.get(run_id)
            for run_id in {*wanted, *rows_there, *sums, *sums_there}
        )

    def _in_the_centre(self, run_ids: list[str]) -> tuple[dict[str, str], dict[str, int]]:
        """Return the rows of runs, and the sums of their events; some runs at a time."""
        rows: dict[str, str] = {}
        sums: dict[str, int] = {}
        edges = run_ids[_AT_ONCE::_AT_ONCE]
        for first, last in zip(["", *edges], [*edges, "~"]):
            which = f"run_id >= {text(first)} AND run_id < {text(last)}"
            _, found = self.client.select(f"SELECT run_id, row FROM run_rows FINAL WHERE {which}")
            rows.update((row[0], row[1]) for row in found)
            _, found = self.client.select(
                f"SELECT run_id, sum(CRC32(concatWithSeparator('\\n', {_EVENT}))) FROM run_events"
                f" WHERE {which} GROUP BY run_id"
            )
            sums.update((row[0], int(row[1])) for row in found)
        return rows, sums

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
        """End the hosts and the server."""
        for host in self._hosts:
            host.close()
        self.client.close()
        self.server.kill()


def _sum(some: Sequence[Work]) -> Work:
    return Work(
        sum(one.lines for one in some),
        sum(one.processor for one in some),
        sum(one.wall for one in some),
    )
