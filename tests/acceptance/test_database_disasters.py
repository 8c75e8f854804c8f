"""Overwritten, cut, forbidden, shared, half written."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

import pytest

from indexer.daemon.loop import Daemon
from indexer.database.freshness import index_once
from indexer.database.opening import open_or_rebuild
from indexer.database.rebuild import rebuild
from indexer.errors import AlreadyRunning, DatabaseUnreachable, DatabaseUnusable
from indexer.health.health import check_health
from indexer.store.connection import open_reader, open_writer
from indexer.store.status import read_status
from indexer.system.base import DAEMON, Base
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.clock import CLOCK, Clock
from telemetry_core.line import encode
from telemetry_core.timestamp import format_time, parse_time
from tests.support.daemon import eventually, running_daemon, start_daemon
from tests.support.database import count_runs, event, lines_of, rows
from tests.support.mounts import can_mount, namespace
from tests.support.oracle import judge
from tests.support.process import environment, run

_NOBODY = 65534


def _truncate(path: Path) -> None:
    os.truncate(path, 0)


def _overwrite(path: Path, start: int, size: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * size)


def _delete(*suffixes: str) -> Callable[[Path], None]:
    return lambda path: [os.unlink(f"{path}{suffix}") for suffix in suffixes] and None


def _delete_and_rebuild(path: Path) -> None:
    _delete("-shm")(path)
    base = Base(TelemetryConfig.for_base(path.parent.parent))
    # The daemon may have noticed first, and be rebuilding.
    eventually(lambda: _is_rebuilt(base))


def _is_rebuilt(base: Base) -> bool:
    try:
        rebuild(base)
    except AlreadyRunning:
        return False
    return True


_DAMAGE: dict[str, Callable[[Path], None]] = {
    "cut to nothing where it stands": _truncate,
    "its first page overwritten": lambda path: _overwrite(path, 0, 4096),
    "overwritten whole": lambda path: _overwrite(path, 0, path.stat().st_size),
    "write-ahead log deleted": _delete("-wal"),
    "shared memory deleted": _delete("-shm"),
    "all but the database deleted": _delete("-wal", "-shm"),
    "shared memory deleted and another process writes": _delete_and_rebuild,
}


@pytest.mark.parametrize("damage", _DAMAGE)
def test_a_database_harmed_where_it_stands_is_noticed(
    base: Path, client: TelemetryClient, damage: str
) -> None:
    """The daemon has all of it in memory and hears of nothing; its readers saw errors for ever."""
    config = client.config
    with running_daemon(base, heartbeat=0.1):
        client.start_run("agent", "before")
        eventually(lambda: count_runs(config) == 1)
        with closing(open_writer(config.database_path)) as other:
            # All of it in the database's own file, where the damage is done.
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _DAMAGE[damage](config.database_path)
        for number in range(3):
            client.start_run("agent", "after")
            eventually(lambda number=number: count_runs(config) >= number + 2)
    judge(config)


@pytest.mark.skipif(
    not hasattr(os, "setuid") or os.getuid() != 0, reason="only root can be somebody else"
)
def test_a_database_that_may_not_be_written_is_waited_for(
    base: Path, client: TelemetryClient
) -> None:
    """The daemon says why, lives, and goes on once it may; the log went on all the while."""
    config = client.config
    client.start_run("agent", "job")
    index_once(Base(config))
    for path in base.parents:
        if "pytest" in str(path):
            os.chmod(path, 0o755)
    for path in [base, *base.rglob("*")]:
        os.chown(path, _NOBODY, _NOBODY)
    config.database_path.chmod(0o400)
    process = start_daemon(base, poll_interval=0.05, user=_NOBODY)
    try:
        assert process.stderr is not None
        eventually(lambda: "Permission denied" in process.stderr.readline())
        client.start_run("agent", "job")
        assert process.poll() is None
        assert count_runs(config) == 1
        config.database_path.chmod(0o600)
        eventually(lambda: count_runs(config) == 2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    judge(config)


@pytest.mark.skipif(not can_mount(), reason="may not mount")
def test_a_database_on_a_disk_that_becomes_read_only(base: Path, client: TelemetryClient) -> None:
    """As after an error of the disk: the daemon lives, and goes on when it is mounted again."""
    config = client.config
    directory = config.database_path.parent
    with namespace() as inside:
        process = start_daemon(base, poll_interval=0.05, within=inside.enter)
        try:
            client.start_run("agent", "job")
            eventually(lambda: count_runs(config) == 1)
            inside.run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", directory)
            client.start_run("agent", "job")
            assert process.stderr is not None
            eventually(lambda: "Read-only file system" in process.stderr.readline())
            assert process.poll() is None
            inside.run("umount", directory)
            eventually(lambda: count_runs(config) == 2)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            assert process.returncode == 0
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
    judge(config)


_AT_ONCE = """
    import os, sys
    from pathlib import Path
    from indexer.daemon.loop import Daemon
    from indexer.errors import AlreadyRunning
    from indexer.system.base import Base
    from telemetry_core import TelemetryConfig
    base, count = Path(sys.argv[1]), int(sys.argv[2])
    config = TelemetryConfig.for_base(base)
    config.poll_interval = 0.05
    start, go = os.pipe()
    children = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os.read(start, 1)
            try:
                Daemon(Base(config)).run()
            except AlreadyRunning as error:
                os._exit(7 if "process" in str(error) else 8)
            os._exit(0)
        children.append(pid)
    os.close(start)
    os.close(go)
    lost = [os.wait() for _ in range(count - 1)]
    (winner,) = set(children) - {pid for pid, _ in lost}
    print(winner, *(os.waitstatus_to_exitcode(status) for _, status in lost), flush=True)
    sys.stdin.read()
    os.kill(winner, int(sys.argv[3]))
    os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="starts many at once by fork")
def test_daemons_started_at_the_same_instant(base: Path, client: TelemetryClient) -> None:
    """Exactly one stays, each time, and the others say that somebody is there."""
    for round_number in range(8):
        number = signal.SIGKILL if round_number % 2 else signal.SIGTERM
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_AT_ONCE), str(base), "5", str(int(number))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert process.stdout is not None
        winner, *codes = process.stdout.readline().split()
        assert codes == ["7"] * 4
        assert Base(client.config).indexer_lease("").holder()["pid"] == int(winner)
        client.start_run("agent", "job")
        eventually(lambda n=round_number: count_runs(client.config) == n + 1)
        process.communicate()
    judge(client.config)


@pytest.mark.skipif(os.name != "posix", reason="is about limits on descriptors")
def test_a_process_without_descriptors_does_not_take_its_database_for_damaged(
    client: TelemetryClient,
) -> None:
    """That it can't look says nothing of the file, and a rebuild would need descriptors too."""
    import resource

    client.start_run("agent", "job")
    with closing(open_or_rebuild(Base(client.config))) as view:
        view.run_pass()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        # Room for the lease, and none for a reader.
        lowest = os.open(os.devnull, os.O_RDONLY)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, hard))
        try:
            with pytest.raises(DatabaseUnreachable, match="unable to open"):
                view.check_readers_see_writes()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        view.check_readers_see_writes()


_FORKS = """
    import os, signal, sys, warnings
    from pathlib import Path
    from indexer.store.connection import open_reader
    from indexer.database.opening import open_or_rebuild
    from indexer.system.base import Base
    from telemetry_core import TelemetryClient, TelemetryConfig
    config = TelemetryConfig.for_base(Path(sys.argv[1]))
    client = TelemetryClient(config)
    view = open_or_rebuild(Base(config))
    reader = open_reader(config.database_path)
    for round_number in range(5):
        client.start_run("agent", "job")
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM agent_runs").fetchone()
        pid = os.fork()
        if pid == 0:
            if sys.argv[2] == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if sys.argv[2] == "_exit":
                os._exit(0)
            if sys.argv[2] == "close":
                view.close()
                reader.close()
            # To leave them open is what is tried here.
            warnings.simplefilter("ignore", ResourceWarning)
            sys.exit(0)
        view.run_pass()
        os.waitpid(pid, 0)
        assert reader.execute("SELECT count(*) FROM agent_runs").fetchone() == before
        reader.execute("COMMIT")
        client.start_run("agent", "job")
        view.run_pass()
        view.check_readers_see_writes()
    assert reader.execute("SELECT count(*) FROM agent_runs").fetchone() == (10,)
    assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="is about fork")
@pytest.mark.parametrize("end", ["exit", "_exit", "kill", "close"])
def test_a_fork_that_inherits_open_connections(
    base: Path, client: TelemetryClient, end: str
) -> None:
    """However the child ends, the parent's writer writes on and its reader keeps its snapshot."""
    run(_FORKS, str(base), end)
    assert count_runs(client.config) == 10
    judge(client.config)


_OPEN_AND_CLOSE = """
    import sqlite3, sys
    connection = sqlite3.connect(sys.argv[1])
    connection.execute("SELECT count(*) FROM agent_runs").fetchone()
    connection.close()
"""


def test_opening_a_database_takes_no_lock_from_who_has_it_open(client: TelemetryClient) -> None:
    """Closing any descriptor of a file drops all the process's locks: the log went under it."""
    config = client.config
    client.start_run("agent", "job")
    index_once(Base(config))
    wal = Path(f"{config.database_path}-wal")
    with closing(open_writer(config.database_path)) as ours:
        ours.execute("SELECT * FROM agent_runs").fetchall()
        identity = wal.stat().st_ino
        rebuild(Base(config))
        open_writer(config.database_path).close()
        run(_OPEN_AND_CLOSE, str(config.database_path))
        assert wal.stat().st_ino == identity
        assert ours.execute("SELECT count(*) FROM agent_runs").fetchone() == (1,)


_HOT = """
    import os, signal, sys
    from pathlib import Path
    from indexer.store.connection import open_writer
    connection = open_writer(Path(sys.argv[1]), "DELETE")
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE agent_runs SET agent_name = 'never committed'")
    connection.execute("DELETE FROM run_events")
    connection.execute("UPDATE log_files SET offset = 0")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_hot_journal_is_rolled_back(base: Path, client: TelemetryClient, mode: str) -> None:
    """A kill amid a commit in rollback mode leaves half of it in the file, and the way back."""
    config = client.config
    config.journal_mode = "DELETE"
    config.ndjson_dir.mkdir(parents=True)
    made = [event(n, "run.started", f"run-{n}", agent_name="a" * 100) for n in range(600)]
    (config.ndjson_dir / "events_20260101.ndjson").write_bytes(lines_of(made))
    index_once(Base(config))
    code = [sys.executable, "-c", textwrap.dedent(_HOT), str(config.database_path)]
    killed = subprocess.run(code, env=environment(), check=False)
    assert killed.returncode == -signal.SIGKILL
    journal = Path(f"{config.database_path}-journal")
    assert journal.stat().st_size > 100_000
    config.journal_mode = mode
    client.start_run("agent", "job")
    assert rows(config, "SELECT count(*) FROM agent_runs WHERE agent_name LIKE 'never%'") == [(0,)]
    assert rows(config, "SELECT count(*) FROM run_events") == [(601,)]
    judge(config)


def test_a_half_written_database_is_not_read_by_who_cannot_roll_it_back(
    base: Path, client: TelemetryClient
) -> None:
    """The same for a reader who comes first: it gets the old rows or an error, never half."""
    config = client.config
    config.journal_mode = "DELETE"
    for _ in range(20):
        client.start_run("agent", "x" * 2_000)
    index_once(Base(config))
    code = [sys.executable, "-c", textwrap.dedent(_HOT), str(config.database_path)]
    subprocess.run(code, env=environment(), check=False)
    try:
        with closing(open_reader(config.database_path)) as reader:
            seen = reader.execute("SELECT DISTINCT agent_name FROM agent_runs").fetchall()
    except (sqlite3.OperationalError, DatabaseUnusable):
        seen = [("agent",)]
    assert seen == [("agent",)]
    judge(config)


def test_a_clock_set_back_does_not_stop_the_heart(
    client: TelemetryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its beats had times that only rise: a daemon that hung then was said to be alive."""
    ahead = int((datetime.now(timezone.utc).timestamp() + 2 * 86_400) * 1_000_000)
    clock = Clock()
    clock._last = ahead
    monkeypatch.setattr(CLOCK, "next", clock.next)
    monkeypatch.setattr(CLOCK, "ticker", None)
    daemon = Daemon(Base(client.config))
    monkeypatch.setattr(daemon, "_wait", daemon.stop)
    client.start_run("agent", "job")
    daemon.run()
    with closing(open_reader(client.config.database_path)) as reader:
        beat = parse_time(read_status(reader)["heartbeat"])
    assert abs((datetime.now(timezone.utc) - beat).total_seconds()) < 600


@pytest.mark.parametrize(
    ("since", "heartbeat", "is_silent"),
    [
        (-9_000, -1, False),
        (-9_000, -600, True),
        (7_200, -1, False),
        (7_200, 3_600, True),
        (-1, -9_000, False),
        (-1, 9_000, False),
    ],
)
def test_a_heartbeat_from_the_future_is_silence(
    client: TelemetryClient,
    monkeypatch: pytest.MonkeyPatch,
    since: float,
    heartbeat: float,
    is_silent: bool,
) -> None:
    """What a daemon said before the clock was set back counts as old, not as recent."""

    def at(seconds: float) -> str:
        now = datetime.now(timezone.utc).timestamp()
        return format_time(datetime.fromtimestamp(now + seconds, timezone.utc))

    config = client.config
    client.start_run("agent", "job")
    index_once(Base(config))
    # Lines that have been waiting for long, or silence would mean nothing.
    (config.ndjson_dir / "events_20260101.ndjson").write_bytes(encode(event(0, "run.started", "r")))
    with Base(config).indexer_lease(DAEMON) as lease:
        note = {"pid": os.getpid(), "purpose": DAEMON, "since": at(since)}
        monkeypatch.setattr(type(lease), "holder", lambda _: note)
        with closing(open_writer(config.database_path)) as writer:
            writer.execute(
                "INSERT INTO indexer_status (id, heartbeat) VALUES (1, ?)", [at(heartbeat)]
            )
        with closing(open_reader(config.database_path)) as reader:
            reader.row_factory = sqlite3.Row
            problems: Any = check_health(Base(config), reader).problems
    assert [("silent" in problem) for problem in problems] == [True] * is_silent
