"""Reading works wherever bytes can be read, and waits a bounded time where it cannot."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest

from indexer.database import freshness
from indexer.database.freshness import fresh_database, index_once, refresh_database
from indexer.database.opening import open_or_rebuild
from indexer.database.rebuild import rebuild
from indexer.database.replacement import swap
from indexer.errors import DatabaseBusy
from indexer.store import connection as database
from indexer.store.connection import open_reader, open_writer, reading
from indexer.system.base import Base
from indexer.system.lock_holders import lock_holders
from telemetry_core import TelemetryClient
from tests.support.cli import Cli
from tests.support.database import count_runs
from tests.support.process import start

_HOLD = """
    import sqlite3, sys
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM agent_runs").fetchone()
    print("held", flush=True)
    sys.stdin.read()
"""
_COUNT = "SELECT count(*) FROM agent_runs"


def _named(holder: subprocess.Popen[str]) -> str:
    """Who an error says holds a lock: by its id where the kernel has a list of locks."""
    return f"process {holder.pid} " if sys.platform == "linux" else "another process"


@pytest.fixture
def one(client: TelemetryClient) -> Base:
    """A base in which one run is recorded."""
    client.start_run("agent", "job")
    return Base(client.config)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_where_no_database_can_be_made_the_log_is_read(one: Base, code: int) -> None:
    """In memory, with a warning: what was recorded can be seen on a full disk too."""
    refusal = OSError(code, os.strerror(code))
    with (
        mock.patch.object(freshness, "index_once", side_effect=refusal),
        fresh_database(one) as fresh,
    ):
        assert fresh.connection.execute(_COUNT).fetchone() == (1,)
        assert "in memory" in fresh.warning
    assert not one.database_path.exists()


def test_where_a_database_cannot_be_written_its_rows_are_read(
    one: Base, client: TelemetryClient
) -> None:
    """As of when it could be written last, and it says so."""
    index_once(one)
    client.start_run("agent", "job")
    refusal = OSError(errno.EROFS, os.strerror(errno.EROFS))
    with (
        mock.patch.object(freshness, "index_once", side_effect=refusal),
        fresh_database(one) as fresh,
    ):
        assert fresh.connection.execute(_COUNT).fetchone() == (1,)
        assert "out of date" in fresh.warning


@pytest.mark.parametrize("with_wal", [True, False])
def test_a_database_without_its_shared_memory_file_is_read(
    one: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_wal: bool
) -> None:
    """As on a read-only mount: SQLite cannot open it in the usual way there."""
    with closing(open_or_rebuild(one)) as session:
        session.run_pass()
        copy = tmp_path / "copy.sqlite"
        if not with_wal:
            database.empty_wal(session.connection)
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{one.database_path}{suffix}", f"{copy}{suffix}")
    refuse = mock.Mock(side_effect=sqlite3.OperationalError("unable to open database file"))
    monkeypatch.setattr(database, "_connect", refuse)
    monkeypatch.setattr(database, "_is_writable", lambda _: False)
    with reading(copy) as connection:
        assert connection.execute(_COUNT).fetchone() == (1,)
    assert sorted(path.name for path in tmp_path.glob("copy*")) == [
        "copy.sqlite",
        "copy.sqlite-wal",
    ]


def test_a_forgotten_transaction_does_not_hold_a_rebuild_for_ever(
    one: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait is bounded, the lease is given back, and the error names the process."""
    one.config.journal_mode = "DELETE"
    index_once(one)
    monkeypatch.setattr(swap, "SWAP_SECONDS", 0.2)
    holder = start(_HOLD, str(one.database_path))
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        with pytest.raises(DatabaseBusy, match=_named(holder)):
            rebuild(one)
        with one.write_lease(), one.rebuild_lease():
            assert count_runs(one.config) == 1
    finally:
        holder.communicate()
    rebuild(one)
    assert count_runs(one.config) == 1


def test_a_locked_database_is_read_as_it_is(one: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading command warns instead of failing, and says who holds the lock."""
    one.config.journal_mode = "DELETE"
    index_once(one)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    TelemetryClient(one.config).start_run("agent", "job")
    holder = start(_HOLD, str(one.database_path))
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        warning = refresh_database(one)
    finally:
        holder.communicate()
    assert "out of date" in warning
    assert _named(holder) in warning


@pytest.mark.needs("proc")
def test_who_holds_a_lock_is_named(tmp_path: Path) -> None:
    """By process id and name; nobody for a file without locks."""
    path = tmp_path / "x.sqlite"
    with closing(open_writer(path, "DELETE")) as connection:
        connection.execute("CREATE TABLE agent_runs (x)")
    assert lock_holders(path) == []
    holder = start(_HOLD, str(path))
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        assert [name.split()[1] for name in lock_holders(path)] == [str(holder.pid)]
    finally:
        holder.communicate()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_what_root_creates_in_somebodys_base_is_theirs(tmp_path: Path) -> None:
    """One command as root does not lock the owner out of the database."""
    directory = tmp_path / "db"
    directory.mkdir()
    os.chown(directory, 65534, 65534)
    path = directory / "telemetry.sqlite"
    with closing(open_writer(path, "WAL")) as connection:
        connection.execute("CREATE TABLE x (y)")
        owners = {item.name: item.stat().st_uid for item in directory.iterdir()}
    assert set(owners.values()) == {65534}, owners
    assert "telemetry.sqlite-wal" in owners


def test_a_daemon_that_is_behind_is_no_difference(
    one: Base, capsys: pytest.CaptureFixture[str]
) -> None:
    """`verify` compares up to the cursors, says how much is missing, and exits 3."""
    index_once(one)
    TelemetryClient(one.config).start_run("agent", "job")
    with mock.patch("indexer.database.verify.refresh_database", return_value="it is behind"):
        ran = Cli(one.directory, capsys)("verify", "--json")
    assert (ran.code, ran.json["differences"]) == (3, [])
    assert ran.json["behind_bytes"] > 0
    assert Cli(one.directory, capsys)("verify").code == 0


def test_one_look_at_the_log_serves_a_whole_status(
    one: Base, capsys: pytest.CaptureFixture[str]
) -> None:
    """One before the pass, one for the pass, one after it; the cursors as seldom."""
    from indexer.log import segments
    from indexer.store import cursors

    real_list, real_cursors = segments.list_log, cursors.all_cursors
    with (
        mock.patch("indexer.log.segments.list_log", side_effect=real_list) as first,
        mock.patch("indexer.ingest.backlog.list_log", side_effect=real_list) as second,
        mock.patch("indexer.store.cursors.all_cursors", side_effect=real_cursors) as third,
        mock.patch("indexer.ingest.backlog.all_cursors", side_effect=real_cursors) as fourth,
    ):
        assert Cli(one.directory, capsys)("status").code == 0
    assert first.call_count + second.call_count <= 3
    assert third.call_count + fourth.call_count <= 3


def test_a_reader_without_a_database_still_says_so(tmp_path: Path) -> None:
    """Nothing is created by looking."""
    with pytest.raises(Exception, match="no database"):
        open_reader(tmp_path / "nowhere.sqlite")
