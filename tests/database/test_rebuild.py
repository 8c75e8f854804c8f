"""The whole view from the log, put in place at one stroke."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Callable

import pytest

from indexer.database.freshness import index_once
from indexer.database.opening import open_or_rebuild
from indexer.database.rebuild import rebuild
from indexer.database.replacement import swap
from indexer.database.verify import verify
from indexer.errors import AlreadyRunning, DatabaseUnusable, Interrupted, NotOurDatabase
from indexer.store.connection import PAGE_BYTES, open_writer, wal_bytes
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.line import encode
from telemetry_core.lock import try_lock
from telemetry_core.process import host_name
from telemetry_core.run_fields import SCHEMA_VERSION
from tests.support.database import event, rows, tables
from tests.support.process import environment

_COUNT = "SELECT count(*) FROM agent_runs"


@pytest.fixture
def config(client: TelemetryClient) -> TelemetryConfig:
    """The configuration of a base with twenty runs in its log."""
    for number in range(20):
        with client.track_run("agent", "job", number=number) as run:
            run.log_event("step", {"number": number})
    return client.config


def _reader(config: TelemetryConfig) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{config.database_path}?mode=ro", uri=True)


def test_a_rebuild_gives_the_same_tables(config: TelemetryConfig) -> None:
    """Table for table, cursors and quarantine included."""
    with (config.ndjson_dir / "events_20200101.ndjson").open("wb") as file:
        file.write(b"not an event\n")
    index_once(Base(config))
    live = tables(config.database_path)
    rebuild(Base(config))
    assert tables(config.database_path) == live
    assert len(live["agent_runs"]) == 20


@pytest.mark.parametrize("gone", ["file", "directory"])
def test_a_deleted_database_comes_back_whole(config: TelemetryConfig, gone: str) -> None:
    """Deleting `db/`, or only the main file and not SQLite's companion files, loses nothing."""
    index_once(Base(config))
    live = tables(config.database_path)
    if gone == "file":
        config.database_path.unlink()
    else:
        shutil.rmtree(config.database_path.parent)
    rebuild(Base(config))
    assert tables(config.database_path) == live


def test_an_open_connection_sees_the_old_rows_or_the_new(config: TelemetryConfig) -> None:
    """A reader polls all the while: it never sees an error, nor a number between."""
    index_once(Base(config))
    with closing(open_writer(config.database_path)) as connection:
        # A view that has less than the log: the rebuild has something to change.
        connection.execute("DELETE FROM agent_runs")
    seen, looked, done = [], threading.Event(), threading.Event()

    def poll() -> None:
        with closing(_reader(config)) as reader:
            while not done.is_set():
                seen.append(reader.execute(_COUNT).fetchone()[0])
                looked.set()
            seen.append(reader.execute(_COUNT).fetchone()[0])

    poller = threading.Thread(target=poll)
    poller.start()
    # However late the thread gets its turn, its first look is at the old rows.
    assert looked.wait(60)
    for _ in range(5):
        rebuild(Base(config))
    done.set()
    poller.join()
    assert set(seen) <= {0, 20}
    assert (seen[0], seen[-1]) == (0, 20)
    assert seen == sorted(seen)


def test_a_reader_in_a_transaction_keeps_its_snapshot(config: TelemetryConfig) -> None:
    """A long read that began before goes on with the old rows, and sees the new ones after."""
    index_once(Base(config))
    with closing(_reader(config)) as reader:
        reader.execute("BEGIN")
        assert reader.execute(_COUNT).fetchone() == (20,)
        TelemetryClient(config).start_run("late", "job")
        rebuild(Base(config))
        assert reader.execute(_COUNT).fetchone() == (20,)
        reader.execute("COMMIT")
        assert reader.execute(_COUNT).fetchone() == (21,)


_KILLED = """
import os, signal, sys
from pathlib import Path
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from indexer.database import rebuild as module
from indexer.database.replacement import swap
config = TelemetryConfig.for_base(Path(sys.argv[1]))
swap._SWAP_PAGES = 1
count = 0
def die(frame, event, argument):
    global count
    if "/indexer/" in frame.f_code.co_filename:
        count += 1
        if count == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
    return None
sys.setprofile(die)
module.rebuild(Base(config))
sys.setprofile(None)
print(count)
"""


def test_killed_at_any_moment_the_old_view_stands(config: TelemetryConfig) -> None:
    """Killed at points spread over the whole rebuild, the view is intact and the next one works."""
    index_once(Base(config))
    live = tables(config.database_path)
    code = [sys.executable, "-c", _KILLED, str(config.metrics_dir)]
    calls = int(subprocess.check_output([*code, "0"], env=environment()))
    for point in range(1, calls, max(1, calls // 15)):
        killed = subprocess.run([*code, str(point)], env=environment(), check=False)
        assert killed.returncode == -signal.SIGKILL
        assert tables(config.database_path) == live
        with closing(_reader(config)) as reader:
            assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    rebuild(Base(config))
    assert tables(config.database_path) == live
    assert not Base(config).shadow_path.exists()


def test_a_database_of_another_version_is_rebuilt_by_itself(config: TelemetryConfig) -> None:
    """No migration: the next pass rebuilds it, under readers that have it open."""
    index_once(Base(config))
    with closing(open_writer(config.database_path)) as connection:
        connection.execute("DROP VIEW runs_by_agent")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
    with closing(_reader(config)) as reader:
        assert reader.execute(_COUNT).fetchone() == (20,)
        assert rows(config, "SELECT runs FROM runs_by_agent") == [(20,)]
        assert reader.execute(_COUNT).fetchone() == (20,)


def test_rubbish_in_the_databases_place_is_kept_aside(config: TelemetryConfig) -> None:
    """It is not ours to delete; the database is rebuilt next to it."""
    config.database_path.parent.mkdir(parents=True, exist_ok=True)
    config.database_path.write_bytes(b"this is no database" * 1_000)
    assert rows(config, _COUNT) == [(20,)]
    (kept,) = config.database_path.parent.glob("telemetry.sqlite.damaged-*")
    assert kept.read_bytes().startswith(b"this is no database")


@pytest.mark.parametrize("use", [index_once, rebuild, open_or_rebuild])
def test_another_programs_database_is_never_written_to(
    config: TelemetryConfig, use: Callable[[Base], object]
) -> None:
    """Not by a pass, not by a rebuild: it stays as it is, and the error says what to do."""
    config.database_path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(config.database_path)) as other:
        other.execute("CREATE TABLE agent_runs (x)")
        other.commit()
    before = config.database_path.read_bytes()
    with pytest.raises(NotOurDatabase, match="another program") as raised:
        use(Base(config))
    assert "TELEMETRY_DB_PATH" in raised.value.hint
    assert config.database_path.read_bytes() == before
    assert sorted(config.database_path.parent.glob("*.sqlite*")) == [config.database_path]


@pytest.mark.parametrize("make_anew", [index_once, rebuild])
def test_a_leftover_write_ahead_log_is_not_played_into_the_new_view(
    config: TelemetryConfig, make_anew: Callable[[Base], object]
) -> None:
    """A -wal file without its database would corrupt the next one of that name."""
    index_once(Base(config))
    writer = open_writer(config.database_path)
    writer.execute("UPDATE agent_runs SET agent_name = 'stale'")
    wal = Path(f"{config.database_path}-wal")
    stale = wal.read_bytes()
    writer.close()
    config.database_path.unlink()
    wal.write_bytes(stale)
    make_anew(Base(config))
    assert rows(config, "SELECT DISTINCT agent_name FROM agent_runs") == [("agent",)]


def test_two_rebuilds_do_not_meet(config: TelemetryConfig) -> None:
    """The second one says who is at it."""
    with Base(config).rebuild_lease(), pytest.raises(AlreadyRunning, match=str(os.getpid())):
        rebuild(Base(config))


def test_what_the_indexer_knows_of_itself_survives(config: TelemetryConfig) -> None:
    """Heartbeat and settings are no part of the log, and are carried over."""
    index_once(Base(config))
    with closing(open_writer(config.database_path)) as connection:
        connection.execute("INSERT INTO indexer_status (id, pid) VALUES (1, 77)")
    rebuild(Base(config))
    assert rows(config, "SELECT pid FROM indexer_status") == [(77,)]


def test_events_written_while_it_builds_are_in(
    config: TelemetryConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last pass before the swap takes what came meanwhile."""
    index_once(Base(config))
    real = Base.write_lease

    def write_first(given: Base) -> object:
        TelemetryClient(given.config).start_run("meanwhile", "job")
        return real(given)

    monkeypatch.setattr(Base, "write_lease", write_first)
    rebuild(Base(config))
    with closing(_reader(config)) as reader:
        assert reader.execute(_COUNT).fetchone() == (21,)


def test_verify_finds_each_kind_of_difference(config: TelemetryConfig) -> None:
    """A changed row, a missing event, an event too many, a moved cursor: each is reported."""
    (config.ndjson_dir / "events_20200101.ndjson").write_bytes(b"not an event\n")
    assert verify(Base(config)).is_ok
    for damage in (
        "UPDATE agent_runs SET items_failed = 1",
        "DELETE FROM agent_runs WHERE run_id = (SELECT max(run_id) FROM agent_runs)",
        "INSERT INTO agent_runs (run_id) VALUES ('nobody')",
        "DELETE FROM run_events WHERE event_id = (SELECT max(event_id) FROM run_events)",
        "UPDATE run_events SET payload_json = '{}' WHERE type = 'run.event'",
        "UPDATE run_events SET offset = offset + 1",
        "UPDATE run_events SET event_id = event_id || 'x' WHERE type = 'run.event'",
        "UPDATE log_files SET indexed = indexed + 1",
        "DELETE FROM quarantine",
    ):
        with closing(open_writer(config.database_path)) as connection:
            connection.execute(damage)
        assert not verify(Base(config)).is_ok, damage
        rebuild(Base(config))
        assert verify(Base(config)).is_ok


@pytest.mark.parametrize(
    "table",
    [
        "agent_runs",
        "run_events",
        "log_files",
        "quarantine",
        "indexer_status",
        "gone_processes",
        "settings",
    ],
)
def test_a_view_broken_in_the_middle_comes_back(config: TelemetryConfig, table: str) -> None:
    """It opens, and breaks at one table: no pass may stay stuck there, and no rebuild either."""
    index_once(Base(config))
    live = tables(config.database_path)
    with closing(_reader(config)) as reader:
        (page,) = reader.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()
        (size,) = reader.execute("PRAGMA page_size").fetchone()
    with config.database_path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)
    TelemetryClient(config).start_run("late", "job")
    index_once(Base(config))
    rebuild(Base(config))
    assert verify(Base(config)).is_ok
    assert len(tables(config.database_path)["agent_runs"]) == len(live["agent_runs"]) + 1


@pytest.mark.parametrize("pid", ["\u00b2", "9" * 30, "9" * 6_000, "", "-1"])
def test_a_process_id_that_is_none_stops_nobody(config: TelemetryConfig, pid: str) -> None:
    """The log may name any process; looking for this one failed, after every pass."""
    strange = event(1, "run.started")._replace(source=f"{host_name()}/{pid}")
    (config.ndjson_dir / "strange.ndjson").write_bytes(encode(strange))
    assert rows(config, "SELECT count(*) FROM gone_processes WHERE source LIKE '%9999'") == [(0,)]


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "a#b",
        "a%20b",
        pytest.param("a?b=c", marks=pytest.mark.needs("paths")),
        pytest.param("\udcff", marks=pytest.mark.needs("paths")),
    ],
)
def test_a_base_of_any_name_will_do(tmp_path: Path, name: str) -> None:
    """What means something in a URI, and bytes that are no text, are only names here."""
    config = TelemetryConfig.for_base(tmp_path / name)
    TelemetryClient(config).start_run("agent", "job")
    index_once(Base(config))
    rebuild(Base(config))
    assert verify(Base(config)).runs == 1


def test_a_rebuild_that_is_told_to_stop_leaves_the_old_view(config: TelemetryConfig) -> None:
    """It says so, and takes with it what it had built."""
    index_once(Base(config))
    live = tables(config.database_path)
    TelemetryClient(config).start_run("late", "job")
    with pytest.raises(Interrupted):
        rebuild(Base(config), should_stop=lambda: True)
    assert tables(config.database_path) == live
    assert not Base(config).shadow_path.exists()


def test_a_database_that_is_busy_is_not_taken_for_broken(
    config: TelemetryConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its heartbeat and settings are not given up for a lock."""
    index_once(Base(config))

    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(swap, "copy_indexer_tables", refuse)
    with pytest.raises(DatabaseUnusable, match="locked"):
        rebuild(Base(config))


def test_a_rebuild_says_what_all_of_its_passes_found(
    config: TelemetryConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came while it built is counted with the rest, whatever kind of line it is."""
    first, *_ = config.ndjson_dir.glob("events_*")
    shutil.copyfile(first, config.ndjson_dir / "events_20200101.ndjson")
    real, late = Base.write_lease, b"not an event\n"

    def write_first(given: Base) -> object:
        (given.log_directory / "events_20200102.ndjson").write_bytes(late)
        TelemetryClient(given.config).start_run("meanwhile", "job")
        return real(given)

    monkeypatch.setattr(Base, "write_lease", write_first)
    reported: list[int] = []
    result = rebuild(Base(config), reported.append)
    assert result.lines == {"indexed": 61, "duplicate": 60, "quarantined": 1}
    assert result.read_bytes == sum(path.stat().st_size for path in config.ndjson_dir.glob("e*"))
    assert sum(reported) == result.read_bytes
    assert (result.problems, result.is_complete) == ([], True)


def test_whoever_waits_for_the_swap_is_told_before_anybody_else_writes(
    config: TelemetryConfig,
) -> None:
    """Once: the new rows are there to be read, and the lease on writing is not given back yet."""
    seen: list[int] = []

    def look() -> None:
        with closing(_reader(config)) as reader:
            seen.append(reader.execute(_COUNT).fetchone()[0])
        assert not try_lock(lease)

    config.database_path.parent.mkdir()
    lease = os.open(config.database_path.parent / "write.lock", os.O_RDWR | os.O_CREAT, 0o600)
    rebuild(Base(config), when_in_place=look)
    assert try_lock(lease)
    os.close(lease)
    assert seen == [20]


@pytest.mark.needs("modes")
def test_a_view_that_was_not_there_is_the_owners_alone_and_knows_its_settings(
    config: TelemetryConfig,
) -> None:
    """What a rebuild before this one left behind, when it was killed, is not in the way."""
    config.stale_after = 77.0
    config.database_path.parent.mkdir()
    Base(config).shadow_path.write_bytes(b"left behind" * 1000)
    rebuild(Base(config))
    assert stat.S_IMODE(config.database_path.stat().st_mode) == 0o600
    with closing(_reader(config)) as reader:
        limit = reader.execute("SELECT value FROM settings WHERE name = 'stale_after'").fetchone()
        assert reader.execute("PRAGMA page_size").fetchone() == (PAGE_BYTES,)
    assert limit == (77.0,)


def test_an_empty_file_in_the_views_place_is_nothing_to_keep(config: TelemetryConfig) -> None:
    """It is replaced, and not copied over: it has no pages yet, and so none of another size."""
    config.database_path.parent.mkdir()
    config.database_path.touch()
    rebuild(Base(config))
    with closing(_reader(config)) as reader:
        assert reader.execute("PRAGMA page_size").fetchone() == (PAGE_BYTES,)
    assert len(tables(config.database_path)["agent_runs"]) == 20
    assert list(config.database_path.parent.glob("*.damaged-*")) == []


def test_what_takes_the_place_of_nothing_is_on_the_disk_first(
    config: TelemetryConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut would else leave a name and no rows."""
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_ino) or real(fd))
    rebuild(Base(config))
    assert config.database_path.stat().st_ino in synced


def test_a_database_of_which_the_tables_can_not_be_told_is_kept_aside(
    config: TelemetryConfig,
) -> None:
    """Its header is sound, and it opens; the new view is a file of its own."""
    index_once(Base(config))
    live = tables(config.database_path)
    with closing(open_writer(config.database_path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = 'CREATE' WHERE name = 'agent_runs'")
    rebuild(Base(config))
    assert tables(config.database_path) == live
    assert len(list(config.database_path.parent.glob("*.damaged-*"))) == 1


def test_the_write_ahead_log_of_the_swap_is_not_left_to_readers(config: TelemetryConfig) -> None:
    """It held the whole view; one that stays open would keep it."""
    index_once(Base(config))
    with closing(_reader(config)) as reader:
        reader.execute(_COUNT).fetchone()
        rebuild(Base(config))
        assert wal_bytes(config.database_path) == 0
