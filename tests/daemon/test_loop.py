"""It sees what comes, whatever becomes of its watch, its database and itself."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from indexer.daemon import watcher as watch_module
from indexer.daemon.loop import Daemon
from indexer.daemon.watcher import Watcher
from indexer.database.freshness import index_once, refresh_database
from indexer.database.rebuild import rebuild
from indexer.database.verify import verify
from indexer.errors import AlreadyRunning, DatabaseUnusable
from indexer.store.status import read_status
from indexer.system.base import DAEMON, Base
from indexer.system.lease import PAUSE_SECONDS, Lease
from indexer.system.wakeup import Wakeup
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.daemon import delete, eventually, running_daemon, start_daemon
from tests.support.database import count_runs, tables
from tests.support.process import run


def _status(config: TelemetryConfig) -> dict[str, object]:
    with closing(sqlite3.connect(f"file:{config.database_path}?mode=ro", uri=True)) as reader:
        return read_status(reader)


def _holds(config: TelemetryConfig) -> bool:
    return (config.database_path.parent / "indexer.json").exists()


def test_a_run_is_visible_soon_after_it_was_recorded(base: Path, client: TelemetryClient) -> None:
    """A hint wakes the daemon: it need not wait out its poll interval of an hour."""
    with running_daemon(base, poll_interval=3600):
        eventually(lambda: _holds(client.config) and count_runs(client.config) == 0)
        for number in range(1, 4):
            client.start_run("agent", "job")
            eventually(lambda number=number: count_runs(client.config) == number)


@pytest.mark.parametrize("is_waited_for", [True, False])
def test_a_busy_daemon_leaves_a_gap_if_somebody_waits_and_only_then(
    client: TelemetryClient, monkeypatch: pytest.MonkeyPatch, is_waited_for: bool
) -> None:
    """Passes without a gap starve processes that wait for the lease; needless gaps cost latency."""
    daemon = Daemon(Base(client.config))
    lease = Base(client.config).write_lease()
    pauses: list[float] = []
    monkeypatch.setattr("indexer.daemon.loop.time", SimpleNamespace(sleep=pauses.append))
    with lease, closing(daemon._wakeup):
        waiter = threading.Thread(target=lambda: _take(Base(client.config).write_lease()))
        if is_waited_for:
            waiter.start()
            eventually(lease.is_wanted)
        daemon._wakeup.set()
        # A look may fall between two looks of the waiter, which are its only moments unseen.
        eventually(lambda: daemon._wait() or bool(pauses) or not is_waited_for)
    if is_waited_for:
        waiter.join()
    assert bool(pauses) == is_waited_for
    assert all(pause > PAUSE_SECONDS for pause in pauses)


def _take(lease: Lease) -> None:
    with lease:
        pass


def test_others_get_the_lease_from_a_daemon_that_never_rests(
    base: Path, client: TelemetryClient
) -> None:
    """Archiving, pruning and a rebuild while agents log without a pause."""
    is_over = threading.Event()

    def log() -> None:
        run_id = client.start_run("agent", "job")
        while not is_over.is_set():
            client.log_event(run_id, "e")

    with running_daemon(base):
        eventually(lambda: _holds(client.config))
        agent = threading.Thread(target=log)
        agent.start()
        try:
            for _ in range(20):
                _take(Lease(client.config.database_path.parent / "write.lock", patience=60))
        finally:
            is_over.set()
            agent.join()


def test_without_any_events_polling_finds_everything(
    client: TelemetryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of inotify instances, the poll interval bounds the delay and nothing else is lost."""

    def refuse(*_: object) -> None:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(watch_module.Observer, "start", refuse)
    client.config.poll_interval = 0.01
    daemon = Daemon(Base(client.config))
    passes = iter(range(1, 6))
    real = daemon._wait

    def next_run() -> None:
        real()
        assert daemon._watcher.problem.startswith("no events")
        number = next(passes, None)
        if number is None:
            daemon.stop()
        else:
            client.start_run("agent", "job")

    monkeypatch.setattr(daemon, "_wait", next_run)
    daemon.run()
    assert count_runs(client.config) == 5
    assert _status(client.config)["watching"] == 0


@pytest.mark.needs("open-moves")
def test_a_directory_made_anew_is_watched_again(base: Path, client: TelemetryClient) -> None:
    """After `rm -rf raw; mkdir raw` new events are seen, and the old rows stay."""
    with running_daemon(base):
        client.start_run("agent", "before")
        eventually(lambda: count_runs(client.config) == 1)
        delete(client.config.ndjson_dir)
        client.config.ndjson_dir.mkdir(exist_ok=True)
        client.start_run("agent", "after")
        eventually(lambda: count_runs(client.config) == 2)


@pytest.mark.needs("open-moves")
@pytest.mark.parametrize("damage", ["deleted", "directory deleted", "rubbish", "replaced"])
def test_a_database_that_is_gone_is_noticed_and_rebuilt(
    base: Path, client: TelemetryClient, damage: str
) -> None:
    """Under the running daemon: every row is back, without anybody's help."""
    path = client.config.database_path
    with running_daemon(base):
        client.start_run("agent", "job")
        eventually(lambda: count_runs(client.config) == 1)
        if damage == "directory deleted":
            delete(path.parent)
        else:
            path.unlink()
        if damage == "rubbish":
            path.write_bytes(b"rubbish" * 1_000)
        if damage == "replaced":
            sqlite3.connect(path).close()
        client.start_run("agent", "job")
        eventually(lambda: count_runs(client.config) == 2)


@pytest.mark.needs("open-moves")
def test_an_error_is_shown_and_the_next_pass_goes_on(base: Path, client: TelemetryClient) -> None:
    """A pass that fails is noted in the status; the daemon lives and recovers."""
    with running_daemon(base):
        client.start_run("agent", "job")
        eventually(lambda: count_runs(client.config) == 1)
        client.config.ndjson_dir.rename(base / "moved")
        client.config.ndjson_dir.write_text("a file where the directory was")
        eventually(lambda: bool(_status(client.config)["last_error"]))
        client.config.ndjson_dir.unlink()
        (base / "moved").rename(client.config.ndjson_dir)
        client.start_run("agent", "job")
        eventually(lambda: count_runs(client.config) == 2)


def test_a_daemon_with_nothing_to_do_writes_nothing(
    client: TelemetryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks at everything as ever, and leaves the disk alone; work makes its heart beat."""
    monkeypatch.setattr("indexer.daemon.heartbeat.HEARTBEAT_SECONDS", 0.0)
    monkeypatch.setattr(
        "indexer.database.session.Session.check_readers_see_writes", lambda _: looks.append(1)
    )
    client.start_run("agent", "job")
    daemon = Daemon(Base(client.config))
    looks: list[int] = []
    seen: list[tuple[object, ...]] = []

    def look() -> None:
        path = client.config.database_path
        status = _status(client.config)
        seen.append((status["heartbeat"], status["lag_bytes"], _bytes_of(path.parent)))
        if len(seen) == 5:
            client.start_run("agent", "job")
        if len(seen) == 8:
            daemon.stop()

    monkeypatch.setattr(daemon, "_wait", look)
    daemon.run()
    assert len(looks) == 8
    assert len(set(seen[:5])) == 1
    assert len(set(seen[5:])) == 1
    assert seen[5][0] != seen[4][0]


def _bytes_of(directory: Path) -> tuple[bytes, ...]:
    # But for the shared memory, in which readers note how far they have read.
    paths = sorted(path for path in directory.iterdir() if not path.name.endswith("-shm"))
    return tuple(path.read_bytes() for path in paths)


def test_a_heartbeat_follows_work_at_once_after_a_rest(
    client: TelemetryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with the next look ten seconds later, or a daemon at work would seem to be silent."""
    client.start_run("agent", "job")
    daemon = Daemon(Base(client.config))
    beats: list[object] = []

    def look() -> None:
        beats.append(_status(client.config)["heartbeat"])
        if len(beats) == 2:
            daemon._heartbeat._next_beat = 0.0
            client.start_run("agent", "job")
        if len(beats) == 3:
            daemon.stop()

    monkeypatch.setattr(daemon, "_wait", look)
    daemon.run()
    assert beats[0] == beats[1] != beats[2]


@pytest.mark.needs("signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(base: Path, client: TelemetryClient, number: int) -> None:
    """The pass is finished, the exit status is 0, the lease is free, the stop is on record."""
    client.start_run("agent", "job")
    process = start_daemon(base)
    eventually(lambda: count_runs(client.config) == 1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert not _holds(client.config)
    status = _status(client.config)
    assert status["pid"] == process.pid
    assert status["heartbeat"]
    assert status["stopped_at"]
    assert verify(Base(client.config)).is_ok


@pytest.mark.needs("signals")
def test_only_one_indexer_runs_and_the_second_says_who(base: Path, client: TelemetryClient) -> None:
    """A second daemon and a single pass are both refused, with the holder's pid."""
    with running_daemon(base) as daemon:
        eventually(lambda: _holds(client.config))
        with pytest.raises(AlreadyRunning, match=f"process {daemon.pid} on"):
            index_once(Base(client.config))
        second = start_daemon(base)
        _, errors = second.communicate(timeout=60)
        assert second.returncode != 0
        assert f"process {daemon.pid} on" in errors


def test_a_killed_daemon_leaves_the_lease_free(base: Path, client: TelemetryClient) -> None:
    """The lock ends with its process; nobody has to clean up."""
    process = start_daemon(base)
    eventually(lambda: _holds(client.config))
    process.kill()
    process.communicate()
    client.start_run("agent", "job")
    index_once(Base(client.config))
    assert count_runs(client.config) == 1


def test_a_reader_waits_for_the_daemon_to_catch_up(base: Path, client: TelemetryClient) -> None:
    """What was recorded before a reading command began is in what it reads."""
    with running_daemon(base):
        eventually(lambda: _holds(client.config))
        for number in range(1, 21):
            client.start_run("agent", "job")
            assert refresh_database(Base(client.config)) == ""
            assert count_runs(client.config) == number


@pytest.mark.needs("signals")
def test_a_reader_says_so_when_the_daemon_does_not_catch_up(
    base: Path, client: TelemetryClient
) -> None:
    """A daemon that is stopped makes the view stale, and nobody reads it unawares."""
    with running_daemon(base) as daemon:
        client.start_run("agent", "job")
        eventually(lambda: count_runs(client.config) == 1)
        os.kill(daemon.pid, signal.SIGSTOP)
        client.start_run("agent", "job")
        assert "has not caught up" in refresh_database(Base(client.config))
        os.kill(daemon.pid, signal.SIGCONT)


def test_a_rebuild_beside_a_running_daemon(base: Path, client: TelemetryClient) -> None:
    """They take turns: no event is lost or doubled, and the daemon goes on."""
    with running_daemon(base):
        for _ in range(5):
            client.start_run("agent", "job")
            rebuild(Base(client.config))
        client.start_run("agent", "job")
        eventually(lambda: count_runs(client.config) == 6)
        assert verify(Base(client.config)).is_ok


def test_readers_do_not_stop_each_other(base: Path, client: TelemetryClient) -> None:
    """Several single passes at once wait for one another and all see everything."""
    client.start_run("agent", "job")
    code = """
        import sys
        from pathlib import Path
        from indexer.system.base import Base
        from indexer.database.freshness import refresh_database
        print(repr(refresh_database(Base.at(Path(sys.argv[1])))))
    """
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(lambda _: run(code, str(base)), range(4)))
    assert outputs == ["''\n"] * 4
    assert count_runs(client.config) == 1


def test_a_view_that_may_not_be_written_is_read_with_a_warning(
    client: TelemetryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's view can be looked at, and is said to be stale perhaps."""
    index_once(Base(client.config))
    before = tables(client.config.database_path)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "refused")

    monkeypatch.setattr("indexer.database.freshness.index_once", refuse)
    assert "may be out of date" in refresh_database(Base(client.config))
    assert tables(client.config.database_path) == before


def test_no_view_and_a_daemon_that_makes_none_is_an_error(
    client: TelemetryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader learns that there is nothing to read."""
    with Base(client.config).indexer_lease(DAEMON), pytest.raises(DatabaseUnusable):
        refresh_database(Base(client.config))


def test_a_dead_observer_is_replaced(base: Path) -> None:
    """Its emitters may die while it says that it lives; both are looked at."""
    base.mkdir()
    hint = Wakeup()
    watch = Watcher(base, hint.set)
    assert watch.ensure_watching()
    first = watch._observer
    assert first is not None
    for emitter in first.emitters:
        emitter.stop()
        emitter.join()
    assert watch.ensure_watching()
    assert watch._observer is not first
    (base / "events_20260101.ndjson").write_bytes(b"x")
    assert hint.wait(60)
    watch.stop()
    hint.close()


def test_our_own_reading_gives_no_hint(base: Path) -> None:
    """Opening and closing a file is reported on Linux, and must not wake us for ever."""
    base.mkdir()
    path = base / "events_20260101.ndjson"
    path.write_bytes(b"x")
    hint = Wakeup()
    watch = Watcher(base, hint.set)
    watch.ensure_watching()
    path.read_bytes()
    path.write_bytes(b"yy")
    assert hint.wait(60)
    while hint.wait(0.2):
        pass
    path.read_bytes()
    assert not hint.wait(0.5)
    watch.stop()
    hint.close()


def test_a_full_hint_is_still_a_hint() -> None:
    """Setting it a million times neither blocks nor fails; waiting clears it."""
    hint = Wakeup()
    for _ in range(100_000):
        hint.set()
    assert hint.wait(0)
    assert not hint.wait(0)
    hint.close()


def test_a_shared_file_system_is_polled(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another kernel writes too, events are not to be relied on."""
    base.mkdir()
    monkeypatch.setattr(watch_module, "is_shared", lambda _: True)
    watch = Watcher(base, lambda: None)
    assert not watch.ensure_watching()
    assert "shared" in watch.problem


@pytest.mark.needs("signals")
def test_a_second_signal_while_stopping_is_harmless(base: Path, client: TelemetryClient) -> None:
    """An impatient operator does not turn a good end into a bad one."""
    process = start_daemon(base)
    eventually(lambda: _holds(client.config))
    for _ in range(3):
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.needs("modes")
def test_the_notes_of_leases_are_private_and_leave_nothing_behind(client: TelemetryClient) -> None:
    """While it is held a lease says who holds it, to the owner alone; then nothing is left."""
    with Base(client.config).indexer_lease(DAEMON) as lease:
        (note,) = client.config.database_path.parent.glob("*.json")
        assert note.stat().st_mode & 0o777 == 0o600
        assert lease.holder()["pid"] == os.getpid()
    assert not list(client.config.database_path.parent.glob("*.json"))
    assert not list(client.config.database_path.parent.glob("*.tmp"))
