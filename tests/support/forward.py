"""What tests of forwarding share: targets, a log of runs, and the outbox read back."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from indexer.ingest.ingest import Ingest
from indexer.outbox.projection import OutboxProjection
from indexer.outbox.target import Target
from indexer.store.connection import open_writer
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.event import Event
from tests.support.database import empty_database, event, lines_of
from tests.support.log import Log
from tests.support.process import environment


def a_target(name: str = "api", **settings: Any) -> Target:
    """A target that nothing is sent to by itself."""
    address = settings.pop("address", "http://127.0.0.1:1/")
    return Target(name, settings.pop("kind", "http"), address, **settings)


def a_run(run_id: str, at: int = 0, **fields: Any) -> list[Event]:
    """A run that has ended."""
    status = fields.pop("status", "success")
    return [
        event(at, "run.started", run_id, agent_name=fields.pop("agent_name", "crawler"), **fields),
        event(at + 1, "run.ended", run_id, status=status),
    ]


def start_targets(log: Path, *names: str) -> None:
    """Have targets start before all that a test records."""
    log.mkdir(parents=True, exist_ok=True)
    file = log / "events_20200101.ndjson"
    known = file.read_text() if file.exists() else ""
    events = [
        event(0, "forward.started", "telemetry.forward", target=name, since="")._replace(
            id=f"start-{name}"
        )
        for name in names
        if f'"{name}"' not in known
    ]
    with open(file, "ab") as opened:
        opened.write(lines_of(events))


def delivered(number: int, run_id: str, revision: int, target: str = "api") -> Event:
    """A receipt that says so."""
    return event(number, "run.delivered", run_id, target=target, revision=revision)


def rejected(number: int, run_id: str, revision: int, target: str = "api") -> Event:
    """A receipt of what a target did not want."""
    return event(
        number,
        "run.delivery_failed",
        run_id,
        target=target,
        revision=revision,
        outcome="rejected",
        reason="HTTP 400",
    )


class Queue:
    """A database that a log is indexed into, and the outbox of it, without a daemon."""

    def __init__(
        self,
        directory: Path,
        *targets: Target,
        database: str = "view.sqlite",
        started: bool = True,
    ) -> None:
        directory.mkdir(exist_ok=True)
        if started:
            start_targets(directory, *(target.name for target in targets))
        self.directory = directory
        path = directory.parent / database
        if not path.exists():
            with closing(sqlite3.connect(path)) as connection, closing(empty_database()) as empty:
                empty.backup(connection)
        self.connection = open_writer(path, "TRUNCATE")
        # Neither is this database what survives anything here: the log is.
        self.connection.execute("PRAGMA synchronous = OFF")
        self.due = OutboxProjection(self.connection, targets)
        self.ingest = Ingest(self.connection, directory, listeners=[self.due.update])

    def append(self, *events: Event, file: str = "events_20260101.ndjson") -> None:
        with open(self.directory / file, "ab") as log:
            log.write(lines_of(list(events)))

    def index(self, *events: Event, file: str = "events_20260101.ndjson") -> None:
        """Append, and make a pass as the view does."""
        self.append(*events, file=file)
        self.ingest.run_pass()
        self.due.catch_up()

    def waiting(self, target: str = "api") -> dict[str, list[int]]:
        """The revisions that wait, by run."""
        found: dict[str, list[int]] = {}
        for run_id, revision in self.connection.execute(
            "SELECT run_id, revision FROM outbox WHERE target = ? ORDER BY 1, 2", (target,)
        ):
            found.setdefault(run_id, []).append(revision)
        return found

    def rows(self) -> list[tuple[Any, ...]]:
        return self.connection.execute("SELECT * FROM outbox ORDER BY 1, 2, 3").fetchall()

    def try_all(self) -> None:
        """Write down that all that waits was tried once."""
        self.connection.execute("UPDATE outbox SET attempts = 1")


class Hostile:
    """The hostile server, in a process of its own, for the length of a block."""

    def __init__(self, certificate: str = "") -> None:
        self._certificate = certificate

    def __enter__(self) -> Hostile:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.hostile_server", self._certificate],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        reported = self._read()
        self.url = f"http://127.0.0.1:{reported['port']}/runs"
        self.secure_url = f"https://127.0.0.1:{reported.get('secure')}/runs"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def tell(self, line: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._read()

    def plan(self, **plan: Any) -> None:
        """Say how it is to answer."""
        self.tell(f"plan {json.dumps(plan)}")

    def held(self, clear: bool = False) -> dict[str, Any]:
        """What it has taken in."""
        found: dict[str, Any] = self.tell("held clear" if clear else "held")
        return found

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def received(base: Path) -> list[tuple[str, dict[str, Any]]]:
    """The receipts in a log: run and data."""
    kinds = ("run.delivered", "run.delivery_failed")
    return [(one.run_id, one.data) for one in Log(base / "raw").events() if one.type in kinds]


def record(base: Path, count: int = 1, **fields: Any) -> list[str]:
    """Record runs that end well, by an agent in this process; the target api has started."""
    start_targets(base / "raw", "api")
    client = TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_GIT": "0"}))
    runs = []
    for _ in range(count):
        with client.track_run("crawler", "nightly", **fields) as run:
            runs.append(run.run_id)
    return runs
