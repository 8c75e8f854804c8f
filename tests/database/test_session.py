"""What it opens, what it writes and queues, and whether readers can see it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Callable

import pytest

from indexer.database.freshness import index_once
from indexer.database.opening import open_or_rebuild
from indexer.database.session import Session
from indexer.errors import DatabaseDamaged, DatabaseUnusable
from indexer.store import connection as database
from indexer.store.connection import empty_wal, open_writer, wal_bytes
from indexer.store.schema.check import create_schema
from indexer.store.status import queued_for, read_status
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.process import host_name
from tests.support.batches import small_batches
from tests.support.database import count_runs, event, lines_of
from tests.support.forward import a_run, start_targets


@pytest.fixture
def view(client: TelemetryClient) -> Iterator[Session]:
    """A view of one run, open as a daemon has it."""
    client.start_run("agent", "job")
    with closing(open_or_rebuild(Base(client.config))) as made:
        made.run_pass()
        yield made


@pytest.mark.needs("open-moves")
def test_a_view_is_in_place_until_its_file_is_another_one(
    view: Session, client: TelemetryClient, tmp_path: Path
) -> None:
    """A copy under its name has the same rows, and is not what is open."""
    path = client.config.database_path
    assert view.is_in_place()
    shutil.copyfile(path, tmp_path / "copy")
    os.replace(tmp_path / "copy", path)
    assert not view.is_in_place()


def test_readers_that_see_what_is_written_are_no_cause_for_concern(view: Session) -> None:
    """Also after more was written."""
    view.check_readers_see_writes()
    view.update_status(pid=1)
    view.check_readers_see_writes()


def test_a_file_cut_where_it_stands_is_damaged_though_its_writer_feels_nothing(
    view: Session, client: TelemetryClient
) -> None:
    """The open connection has it in memory; who opens it now finds nothing."""
    view.refresh_gone_processes()
    os.truncate(client.config.database_path, 0)
    with pytest.raises(DatabaseDamaged):
        view.check_readers_see_writes()


def test_a_write_ahead_log_is_shortened_only_at_its_limit(
    view: Session, client: TelemetryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within it, it is SQLite's business, and costs nothing."""
    path = client.config.database_path
    size = wal_bytes(path)
    assert size > 0
    monkeypatch.setattr(database, "WAL_LIMIT_BYTES", size + 1)
    view.truncate_large_wal()
    assert wal_bytes(path) == size
    monkeypatch.setattr(database, "WAL_LIMIT_BYTES", size)
    view.truncate_large_wal()
    assert wal_bytes(path) == 0


@pytest.mark.needs("open-moves")
def test_a_write_ahead_log_that_is_replaced_stops_every_write(
    view: Session, client: TelemetryClient
) -> None:
    """Who opens the database now agrees on nothing with who has it open."""
    wal = Path(f"{client.config.database_path}-wal")
    shutil.copyfile(wal, wal.with_suffix(".copy"))
    os.replace(wal.with_suffix(".copy"), wal)
    with pytest.raises(DatabaseDamaged, match="deleted or replaced"):
        view.update_status(pid=1)


def test_a_file_with_old_rows_where_it_stands_is_not_what_was_written(
    view: Session, client: TelemetryClient, tmp_path: Path
) -> None:
    """It opens and is whole; only its rows are those of before."""
    path, old = client.config.database_path, tmp_path / "old"
    view.update_status(pid=1)
    empty_wal(view.connection)
    shutil.copyfile(path, old)
    view.update_status(pid=2)
    empty_wal(view.connection)
    path.write_bytes(old.read_bytes())
    with pytest.raises(DatabaseDamaged, match="do not see"):
        view.check_readers_see_writes()


@pytest.mark.needs("open-moves")
def test_a_database_without_its_file_is_damaged(view: Session, client: TelemetryClient) -> None:
    """That it can't be opened is a matter for a rebuild, if nothing else is wrong."""
    client.config.database_path.unlink()
    with pytest.raises(DatabaseDamaged, match="readers cannot open"):
        view.check_readers_see_writes()


def test_a_pass_says_what_it_found_and_work_what_it_returned(
    view: Session, client: TelemetryClient
) -> None:
    """A caller who asks for a write learns its outcome."""
    client.start_run("agent", "job")
    assert view.run_pass().lines == {"indexed": 1}
    assert view.write(lambda connection: connection.execute("SELECT 7").fetchone()) == (7,)
    assert count_runs(client.config) == 2


def test_status_is_noted_for_readers(view: Session, client: TelemetryClient) -> None:
    """Column by column: what is not named stays."""
    view.update_status(pid=3)
    view.update_status(last_error="none")
    with closing(database.open_reader(client.config.database_path)) as reader:
        status = read_status(reader)
    assert (status["pid"], status["last_error"]) == (3, "none")


def test_runs_that_lost_their_process_are_found(base: Path, client: TelemetryClient) -> None:
    """By the process that their events come from, if it was on this host."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    source = f"{host_name()}/{ended.pid}"
    (base / "raw").mkdir(parents=True)
    (base / "raw" / "events_20260101.ndjson").write_bytes(
        lines_of([event(1, "run.started")._replace(source=source)])
    )
    with closing(open_or_rebuild(Base(client.config))) as view:
        view.run_pass()
        view.refresh_gone_processes()
        gone = view.connection.execute("SELECT source FROM gone_processes").fetchall()
    assert gone == [(source,)]


def test_a_view_that_is_closed_has_given_up_its_connection(view: Session) -> None:
    """A daemon that opens another one does not gather them."""
    view.close()
    with pytest.raises(sqlite3.ProgrammingError):
        view.connection.execute("SELECT 1")


def _rubbish(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)


def _another_version(path: Path) -> None:
    with closing(open_writer(path)) as connection:
        create_schema(connection)
        connection.execute("PRAGMA user_version = 1")


def _another_column(path: Path) -> None:
    with closing(open_writer(path)) as connection:
        create_schema(connection)
        connection.execute("ALTER TABLE agent_runs ADD COLUMN mine")


def _a_missing_table(path: Path) -> None:
    with closing(open_writer(path)) as connection:
        create_schema(connection)
        connection.execute("DROP TABLE gone_processes")


def _a_view_of_theirs(path: Path) -> None:
    with closing(open_writer(path)) as connection:
        create_schema(connection)
        connection.execute("DROP VIEW failed_runs")
        connection.execute("CREATE VIEW failed_runs AS SELECT 1")


def _a_trigger(path: Path) -> None:
    with closing(open_writer(path)) as connection:
        create_schema(connection)
        connection.execute(
            "CREATE TRIGGER t AFTER INSERT ON agent_runs BEGIN DELETE FROM agent_runs; END"
        )


def _a_unique_index(path: Path) -> None:
    with closing(open_writer(path)) as connection:
        create_schema(connection)
        connection.execute("CREATE UNIQUE INDEX one_each ON agent_runs (agent_name)")


def test_tables_and_indexes_of_users_are_no_difference(client: TelemetryClient) -> None:
    """Only what could refuse or change an event is."""
    path = client.config.database_path
    with closing(open_writer(path)) as connection:
        create_schema(connection)
        connection.execute("CREATE TABLE notes (text, run_id UNIQUE)")
        connection.execute("CREATE INDEX by_host ON agent_runs (host)")
    with closing(Session.open(Base(client.config))) as session:
        assert session.connection.execute("SELECT count(*) FROM notes").fetchone() == (0,)


def test_a_unique_index_that_is_added_under_a_session_deletes_no_run(
    client: TelemetryClient,
) -> None:
    """The pass fails instead, and the next session rebuilds without the index."""
    client.start_run("agent", "job")
    base = Base(client.config)
    with closing(open_or_rebuild(base)) as session:
        session.run_pass()
        session.connection.execute("CREATE UNIQUE INDEX one_each ON agent_runs (agent_name)")
        client.start_run("agent", "job")
        with pytest.raises(DatabaseUnusable, match="UNIQUE"):
            session.run_pass()
        assert count_runs(client.config) == 1
    index_once(base)
    assert count_runs(client.config) == 2


_HARMS = [
    _rubbish,
    _another_version,
    _another_column,
    _a_missing_table,
    _a_view_of_theirs,
    _a_trigger,
    _a_unique_index,
]


@pytest.mark.parametrize("harm", _HARMS)
def test_what_is_no_view_of_ours_is_rebuilt_as_it_is_opened(
    client: TelemetryClient, harm: Callable[[Path], None]
) -> None:
    """Before any pass the rows are there; progress is reported to the caller."""
    client.start_run("agent", "job")
    path = client.config.database_path
    path.parent.mkdir()
    harm(path)
    reported: list[int] = []
    with closing(open_or_rebuild(Base(client.config), on_progress=reported.append)):
        assert count_runs(client.config) == 1
    assert sum(reported) > 0


def test_a_view_opened_again_is_the_one_that_was_there(client: TelemetryClient) -> None:
    """Nothing is rebuilt: what the log does not say is still in it."""
    client.start_run("agent", "job")
    for _ in range(2):
        with closing(open_or_rebuild(Base(client.config))) as view:
            view.run_pass()
            view.connection.execute("UPDATE agent_runs SET agent_name = agent_name || '+'")
    with closing(database.open_reader(client.config.database_path)) as reader:
        assert reader.execute("SELECT agent_name FROM agent_runs").fetchall() == [("agent++",)]


@pytest.fixture
def forwarding(base: Path) -> TelemetryConfig:
    """A base with a target and two runs that have ended."""
    start_targets(base / "raw", "api")
    (base / "raw" / "events_20260101.ndjson").write_bytes(lines_of(a_run("r") + a_run("s", 10)))
    return TelemetryConfig.for_base(base, {"METRICS_API_URL": "http://127.0.0.1:1/"})


def _waiting(view: Session) -> list[tuple[str]]:
    return view.connection.execute("SELECT run_id FROM outbox ORDER BY run_id").fetchall()


def test_what_is_due_is_queued_once_the_log_was_read(forwarding: TelemetryConfig) -> None:
    """Not before: a view just opened knows nothing of what came while nobody looked."""
    with closing(open_or_rebuild(Base(forwarding))) as view:
        assert not view.is_outbox_complete()
        view.run_pass()
        assert view.is_outbox_complete()
        assert _waiting(view) == [("r",), ("s",)]
    with closing(open_or_rebuild(Base(forwarding))) as again:
        assert queued_for(again.connection) is not None
        assert not again.is_outbox_complete()
        again.run_pass()
        assert again.is_outbox_complete()


def test_half_a_log_makes_nothing_due(forwarding: TelemetryConfig) -> None:
    """Its states never lasted: a pass that is asked to stop queues nothing."""
    answers = iter([True])
    with closing(
        open_or_rebuild(Base(forwarding), should_stop=lambda: next(answers, False))
    ) as view:
        with small_batches(1):
            assert not view.run_pass().is_complete
        assert not view.is_outbox_complete()
        assert (_waiting(view), queued_for(view.connection)) == ([], None)
        view.run_pass()
        assert _waiting(view) == [("r",), ("s",)]


def test_a_queue_that_was_not_filled_to_the_end_does_not_hold_all(
    forwarding: TelemetryConfig,
) -> None:
    """Asked to stop after the log was read: the next pass makes up for it."""
    answers = iter([False, True])
    with closing(
        open_or_rebuild(Base(forwarding), should_stop=lambda: next(answers, False))
    ) as view:
        assert view.run_pass().is_complete
        assert not view.is_outbox_complete()
        view.run_pass()
        assert view.is_outbox_complete()


def test_what_is_folded_without_a_target_is_queued_for_none(forwarding: TelemetryConfig) -> None:
    """The mark goes, so that a process that has a target again makes up for it."""
    with closing(open_or_rebuild(Base(forwarding))) as view:
        view.run_pass()
    without = TelemetryConfig.for_base(forwarding.metrics_dir)
    with closing(open_or_rebuild(Base(without))) as view:
        view.run_pass()
        assert queued_for(view.connection) is not None, "nothing was folded yet"
        TelemetryClient(without).start_run("agent", "job")
        view.run_pass()
        assert queued_for(view.connection) is None
        assert view.is_outbox_complete(), "nothing is due where no target is configured"


def test_readers_are_asked_again_only_once_the_files_have_changed(
    view: Session, client: TelemetryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon at rest opens nothing, which would write; after a write or a change it looks."""
    looks: list[Path] = []

    def look(path: Path) -> AbstractContextManager[sqlite3.Connection]:
        looks.append(path)
        return database.reading(path)

    monkeypatch.setattr("indexer.database.session_checks.reading", look)
    view.check_readers_see_writes()
    view.check_readers_see_writes()
    assert len(looks) == 1
    view.update_status(last_error="anything")
    view.check_readers_see_writes()
    assert len(looks) == 2
    os.utime(client.config.database_path, ns=(1, 1))
    view.check_readers_see_writes()
    assert len(looks) == 3
