"""One writer, readers that can't write, and the mode that fits."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from indexer.database.freshness import index_once
from indexer.database.rebuild import rebuild
from indexer.errors import DatabaseDamaged, DatabaseUnusable
from indexer.store.connection import closed_on_error, open_reader, open_writer, transaction
from indexer.store.schema.check import create_schema, has_our_schema, is_empty, is_ours
from indexer.store.sqlite_errors import translated
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.database import rows
from tests.support.process import run

OLD_COLUMNS = (
    "run_id",
    "schema_version",
    "agent_name",
    "agent_owner",
    "job_type",
    "trigger_type",
    "start_time",
    "end_time",
    "status",
    "items_discovered",
    "items_succeeded",
    "items_failed",
    "duration_ms",
    "input_summary",
    "output_summary",
    "error_summary",
    "metrics_json",
    "insight_id",
    "product",
    "platform",
    "product_family",
    "subdomain",
    "git_repo",
    "git_branch",
    "git_run_tag",
    "host",
    "api_posted",
    "api_posted_at",
    "api_retry_count",
    "created_at",
    "updated_at",
)
OLD_QUERIES = [
    "SELECT agent_name, job_type, status FROM agent_runs ORDER BY start_time DESC LIMIT 10",
    "SELECT status, COUNT(*) FROM agent_runs GROUP BY status",
    f"SELECT {', '.join(OLD_COLUMNS)} FROM agent_runs",
]


@pytest.mark.parametrize("query", OLD_QUERIES)
def test_queries_written_for_the_earlier_table_run(client: TelemetryClient, query: str) -> None:
    """All 31 columns are there under their names."""
    with client.track_run("agent", "job"):
        pass
    assert len(rows(client.config, query)) == 1


@pytest.mark.parametrize(
    ("word", "mode"),
    [(None, "wal"), ("delete", "delete"), ("TRUNCATE", "truncate"), ("nonsense", "delete")],
)
def test_the_users_word_on_the_journal_mode_wins(tmp_path: Path, word: str, mode: str) -> None:
    """What makes no sense is taken for the safest; without a word the file system decides."""
    with closing(open_writer(tmp_path / "db" / "telemetry.sqlite", word)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)


def _settings(connection: sqlite3.Connection, *names: str) -> list[object]:
    return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]


@pytest.mark.parametrize(("word", "synchronous"), [("WAL", 1), ("DELETE", 2)])
def test_the_writer_is_as_safe_as_its_mode_needs(
    tmp_path: Path, word: str, synchronous: int
) -> None:
    """NORMAL harms nothing under WAL and would elsewhere; what it waits and keeps is bounded."""
    with closing(open_writer(tmp_path / "db" / "telemetry.sqlite", word)) as connection:
        names = ("synchronous", "journal_size_limit", "busy_timeout", "page_size")
        assert _settings(connection, *names) == [synchronous, 64 * 2**20, 10_000, 8192]
        assert connection.isolation_level is None


def test_a_reader_asks_and_waits_no_longer_than_told(config_with_view: TelemetryConfig) -> None:
    """It begins no transaction by itself, for that would hold back the write-ahead log."""
    with closing(open_reader(config_with_view.database_path, timeout=0.5)) as connection:
        assert _settings(connection, "query_only", "busy_timeout") == [1, 500]
        assert connection.isolation_level is None


def test_whose_a_database_is_and_what_is_in_it(tmp_path: Path) -> None:
    """Empty, ours of this version, ours of another, and somebody else's are distinguished."""
    with closing(open_writer(tmp_path / "t.sqlite")) as connection:
        assert (is_empty(connection), is_ours(connection)) == (True, False)
        create_schema(connection)
        assert (is_empty(connection), is_ours(connection)) == (False, True)
        assert has_our_schema(connection) is True
        connection.execute("PRAGMA user_version = 99999")
        assert (is_ours(connection), has_our_schema(connection)) == (True, False)
        connection.execute("PRAGMA application_id = 1")
        assert is_ours(connection) is False


def test_a_connection_that_is_not_made_ready_is_closed(tmp_path: Path) -> None:
    """Nobody else could: a process that asks for it never gets it."""
    connection = open_writer(tmp_path / "t.sqlite")
    with pytest.raises(KeyboardInterrupt), closed_on_error(connection):
        raise KeyboardInterrupt
    with pytest.raises(sqlite3.ProgrammingError):
        connection.execute("SELECT 1")


def test_the_whole_works_in_every_journal_mode(client: TelemetryClient) -> None:
    """Indexing and rebuilding with a rollback journal, as on a shared file system."""
    config = client.config
    config.journal_mode = "DELETE"
    client.start_run("agent", "job")
    assert rows(config, "SELECT count(*) FROM agent_runs") == [(1,)]
    client.start_run("agent", "job")
    assert rows(config, "SELECT count(*) FROM agent_runs") == [(2,)]


@pytest.mark.needs("modes")
def test_files_and_directories_are_the_owners_alone(client: TelemetryClient) -> None:
    """0700 and 0600, the base directory included."""
    client.start_run("agent", "job")
    index_once(Base(client.config))
    base = client.config.metrics_dir
    for path in [base, *base.glob("**/*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_reader_cannot_write(config_with_view: TelemetryConfig) -> None:
    """Not even by taking back the connection's settings."""
    with closing(open_reader(config_with_view.database_path)) as reader:
        reader.execute("PRAGMA query_only = OFF")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("DELETE FROM agent_runs")


@pytest.fixture
def config_with_view(client: TelemetryClient) -> TelemetryConfig:
    """A base whose view is up to date."""
    index_once(Base(client.config))
    return client.config


def test_no_database_is_an_error_with_a_hint(tmp_path: Path) -> None:
    """It says where it looked and what to do."""
    with pytest.raises(DatabaseUnusable, match=r"no database at .*telemetry rebuild"):
        open_reader(tmp_path / "telemetry.sqlite")


def test_only_damage_counts_as_damage(tmp_path: Path) -> None:
    """A full disk or a lock says nothing about the file, and must not have it set aside."""
    with pytest.raises(DatabaseDamaged), translated(tmp_path):
        raise sqlite3.DatabaseError("file is not a database")
    with pytest.raises(DatabaseUnusable) as caught, translated(tmp_path):
        raise sqlite3.OperationalError("database or disk is full")
    assert not isinstance(caught.value, DatabaseDamaged)


def test_a_disk_that_fails_as_the_database_is_opened_is_an_error_of_ours(
    client: TelemetryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connecting already reads, and what it raises has to be as clear as what comes later."""

    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    client.log_event("run", "event")
    # Not until the test's end: coverage keeps its own data with SQLite.
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", fail)
        with pytest.raises(DatabaseUnusable, match=r"telemetry\.sqlite: disk I/O error"):
            open_writer(client.config.database_path)
        with pytest.raises(DatabaseUnusable, match=r"telemetry\.sqlite\.rebuild: disk I/O error"):
            rebuild(Base(client.config))


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    """Also for what is no error of SQLite's."""
    with closing(open_writer(tmp_path / "x.sqlite")) as connection:
        connection.execute("CREATE TABLE t (x)")
        with pytest.raises(KeyboardInterrupt), transaction(connection):
            connection.execute("INSERT INTO t VALUES (1)")
            raise KeyboardInterrupt
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_what_sqlite_undid_already_is_not_undone_again(tmp_path: Path) -> None:
    """A full disk ends a transaction by itself; its own error comes through, and no other."""
    with closing(open_writer(tmp_path / "x.sqlite")) as connection:
        with pytest.raises(KeyError), transaction(connection):
            connection.execute("ROLLBACK")
            raise KeyError
        assert not connection.in_transaction


_POWERLESS = """
    import os, stat, sys
    import urllib.parse  # Path.as_uri imports it when nobody else may read Python's files
    from contextlib import closing
    from pathlib import Path
    from indexer.store.connection import open_writer
    from indexer.store.schema.check import create_schema
    path = Path(sys.argv[1]) / "telemetry.sqlite"
    # Permissions don't apply to root.
    if os.geteuid() == 0:
        os.setuid(65534)
    with closing(open_writer(path, "WAL")) as connection:
        create_schema(connection)
        connection.execute("CREATE TABLE kept (number)")
    for suffix in ("-wal", "-journal"):
        os.close(os.open(f"{path}{suffix}", os.O_WRONLY | os.O_CREAT, 0o400))
    with closing(open_writer(path, "WAL")) as connection:
        connection.execute("INSERT INTO kept VALUES (1)")
        print(oct(stat.S_IMODE(os.stat(f"{path}-journal").st_mode)))
    path.chmod(0o400)
    try:
        open_writer(path, "WAL")
    except PermissionError as error:
        print(error.filename == str(path))
"""


@pytest.mark.skipif(os.name != "posix", reason="is about permissions")
def test_what_a_reader_made_unwritable_beside_a_database_is_made_writable() -> None:
    """It has the mode that the database had for a while; the database's own mode is obeyed."""
    # Not below pytest's directories, which are closed to everybody but root.
    directory = Path(tempfile.mkdtemp(prefix="telemetry-"))
    try:
        if os.geteuid() == 0:
            os.chown(directory, 65534, 65534)
        made = run(_POWERLESS, str(directory))
        assert made.split() == ["0o600", "True"]
    finally:
        shutil.rmtree(directory)
