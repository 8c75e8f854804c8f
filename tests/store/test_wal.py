"""A reader may hold the write-ahead log back: that is reported, and it shrinks again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from indexer.database.freshness import index_once
from indexer.database.opening import open_or_rebuild
from indexer.database.rebuild import rebuild
from indexer.database.session import Session
from indexer.health import findings
from indexer.store import connection as database
from indexer.store.connection import open_reader, wal_bytes
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.line import encode
from tests.support.cli import Cli
from tests.support.daemon import eventually, running_daemon
from tests.support.database import count_runs, event, lines_of
from tests.support.oracle import judge

_LIMIT = 1024 * 1024


@pytest.fixture
def config(client: TelemetryClient, monkeypatch: pytest.MonkeyPatch) -> TelemetryConfig:
    """A base with a view, and a limit that is soon reached."""
    monkeypatch.setattr(database, "WAL_LIMIT_BYTES", _LIMIT)
    monkeypatch.setattr(findings, "WAL_LIMIT_BYTES", _LIMIT)
    client.start_run("agent", "job")
    index_once(Base(client.config))
    return client.config


@pytest.fixture
def view(config: TelemetryConfig) -> Iterator[Session]:
    """The view, open as a daemon has it."""
    with closing(open_or_rebuild(Base(config))) as made:
        yield made


def _index_batches(config: TelemetryConfig, view: Session, name: str, count: int) -> None:
    """Commit many batches, each of them of a few pages."""
    path = config.ndjson_dir / f"{name}.ndjson"
    for number in range(count):
        made = [
            event(number * 50 + n, "run.started", f"{name}-{n}", odd="x" * 200 + str(number))
            for n in range(50)
        ]
        with path.open("ab") as file:
            file.write(lines_of(made))
        view.run_pass()


def _grow_wal(config: TelemetryConfig, view: Session) -> sqlite3.Connection:
    """Hold a transaction open while batches are committed; return the connection that does."""
    reader = open_reader(config.database_path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM agent_runs").fetchone()
    _index_batches(config, view, "held", 60)
    assert wal_bytes(config.database_path) > _LIMIT
    return reader


def test_without_a_reader_the_log_stays_small(config: TelemetryConfig, view: Session) -> None:
    """However much is committed: what is in it is moved into the database as it grows."""
    sizes = []
    for number in range(3):
        _index_batches(config, view, f"day-{number}", 40)
        view.truncate_large_wal()
        sizes.append(wal_bytes(config.database_path))
    assert max(sizes) <= 5 * _LIMIT
    assert sizes[2] <= sizes[1] <= 5 * _LIMIT


def test_a_reader_that_holds_a_transaction_is_told_of(
    base: Path, config: TelemetryConfig, view: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log can't be emptied under it: the status says so, with exit code 3, until it ends."""
    cli = Cli(base, capsys)
    reader = _grow_wal(config, view)
    view.truncate_large_wal()
    assert wal_bytes(config.database_path) > _LIMIT
    assert reader.execute("SELECT count(*) FROM agent_runs").fetchone() == (1,)
    ran = cli("status", "--json")
    assert ran.code == 3
    assert ran.json["wal_bytes"] == wal_bytes(config.database_path)
    (problem,) = ran.json["problems"]
    assert problem.startswith("the write-ahead log has grown to")
    reader.close()
    view.truncate_large_wal()
    assert wal_bytes(config.database_path) == 0
    ran = cli("status", "--json")
    assert (ran.code, ran.json["problems"]) == (0, [])
    view.close()
    judge(config)


def test_looking_after_it_waits_for_no_reader(
    config: TelemetryConfig, view: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it leave the connection without patience for others."""
    reader = _grow_wal(config, view)
    waited: list[object] = []
    view.connection.set_trace_callback(waited.append)
    view.truncate_large_wal()
    assert waited[0] == "PRAGMA busy_timeout = 0"
    assert view.connection.execute("PRAGMA busy_timeout").fetchone() == (10_000,)
    reader.close()


def test_a_rebuild_leaves_no_view_in_the_log(config: TelemetryConfig, view: Session) -> None:
    """The swap is one transaction as large as the view; nobody needs it there afterwards."""
    _index_batches(config, view, "day", 60)
    rebuild(Base(config))
    assert wal_bytes(config.database_path) == 0
    view.close()
    judge(config)


def test_a_daemon_shrinks_the_log_once_the_reader_is_gone(
    base: Path, client: TelemetryClient
) -> None:
    """With its next heartbeat, though nothing new comes."""
    config = client.config
    client.start_run("agent", "job")
    line = encode(event(0, "run.started", "r", error_details="x" * 1_000_000))
    with running_daemon(base, heartbeat=0.1):
        eventually(lambda: count_runs(config) == 1)
        with closing(open_reader(config.database_path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM agent_runs").fetchone()
            lines = [line.replace(b"id-0", b"id-%d" % n) for n in range(40)]
            lines = [one.replace(b'"r"', b'"run-%d"' % n) for n, one in enumerate(lines)]
            (config.ndjson_dir / "events_20260101.ndjson").write_bytes(b"".join(lines))
            eventually(lambda: count_runs(config) == 41)
            assert wal_bytes(config.database_path) > database.WAL_LIMIT_BYTES
        eventually(lambda: wal_bytes(config.database_path) < 1_000_000)
    assert os.path.getsize(config.database_path) > 40_000_000


def test_a_status_without_a_log_says_zero(config: TelemetryConfig) -> None:
    """After the last connection closed there is none."""
    assert wal_bytes(config.database_path) == 0
