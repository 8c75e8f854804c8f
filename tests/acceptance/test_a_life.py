"""A life of a base: eight agents and a daemon, kills, and all that becomes of the log later.

The same story on every platform, with handles of another program on the log and a reader of the
database in the way of everything. Where an open file can't be moved, that has to be said, and
nothing may change.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import orjson
import pytest

from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.cli import in_process
from tests.support.daemon import eventually, running_daemon, start_daemon
from tests.support.oracle import judge
from tests.support.process import environment

_AGENTS = 8
_KILLED = 4
_EVENTS = 150
_EVERYTHING = "SELECT * FROM agent_runs ORDER BY run_id"

# Its clock is 40 days slow, so that what it writes belongs to a day that is over.
_AGENT = """
import sys, time
now = time.time_ns
time.time_ns = lambda: now() - 40 * 86_400 * 10**9
from pathlib import Path
from telemetry_core import TelemetryClient, TelemetryConfig
client = TelemetryClient(TelemetryConfig.for_base(Path(sys.argv[1])))
run = client.start_run("agent", "job", run_id=sys.argv[2])
for number in range(int(sys.argv[3])):
    print(client.log_event(run, "step", {"number": number}), flush=True)
print("all", flush=True)
sys.stdin.readline()
client.end_run(run, status="success")
"""

# What an editor, a backup program or a virus scanner does: it has a file open, and takes its time.
_HOLDER = "import sys; held = open(sys.argv[1], 'rb'); print('held', flush=True); sys.stdin.read()"


def _start(base: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _AGENT, str(base), name, str(_EVENTS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(TELEMETRY_GIT="false"),
    )


def _read(agent: subprocess.Popen[str], count: int) -> list[str]:
    """Return the ids of an agent's next events, as far as it has said them."""
    assert agent.stdout is not None
    lines = (agent.stdout.readline().strip() for _ in range(count))
    return [line for line in lines if len(line) == 36]


def _rows(base: Path, query: str) -> list[tuple[object, ...]]:
    path = TelemetryConfig.for_base(base).database_path
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        return connection.execute(query).fetchall()


def _live_and_die(base: Path, chance: random.Random) -> tuple[list[str], set[str]]:
    """Have agents work under a daemon, and kill some; return what was acknowledged, and who died.

    With each of them the daemon is killed as well, and another begins. The last one has to see by
    itself which runs will never end.
    """
    acknowledged: list[str] = []
    killed = {f"run-{number}" for number in chance.sample(range(_AGENTS), _KILLED)}
    agents = {f"run-{number}": _start(base, f"run-{number}") for number in range(_AGENTS)}
    for name in sorted(killed):
        with _mortal_daemon(base):
            acknowledged += _read(agents[name], chance.randrange(1, _EVENTS))
            # TerminateProcess on Windows, SIGKILL elsewhere.
            agents[name].kill()
    with running_daemon(base, 0.1, 0.2):
        for name, agent in agents.items():
            rest, _ = agent.communicate("" if name in killed else "end\n", timeout=60)
            acknowledged += [line for line in rest.split() if len(line) == 36]
        gone = "SELECT run_id FROM stale_runs WHERE reason = 'process gone'"
        eventually(lambda: _is_there(base) and {row[0] for row in _rows(base, gone)} == killed)
    return acknowledged, killed


@contextmanager
def _mortal_daemon(base: Path) -> Iterator[None]:
    """A daemon that is killed, wherever it is, when the block has done its work."""
    daemon = start_daemon(base, 0.1, 0.2)
    try:
        note = TelemetryConfig.for_base(base).database_path.with_name("indexer.json")
        eventually(lambda: note.exists() and orjson.loads(note.read_bytes())["pid"] == daemon.pid)
        yield
    finally:
        daemon.kill()
        daemon.communicate()


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Another program has a file open."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        yield
    finally:
        holder.communicate("")


def _is_there(base: Path) -> bool:
    return TelemetryConfig.for_base(base).database_path.exists() and bool(
        _rows(base, "SELECT 1 FROM sqlite_master WHERE name = 'stale_runs'")
    )


def _done(base: Path, *arguments: str, code: int = 0) -> str:
    ran = in_process(base, *arguments)
    assert ran.code == code, (arguments, ran)
    return ran.out + ran.err


def _age(config: TelemetryConfig) -> None:
    """Have the segments of the past day look as if they were last written to on that day."""
    today = time.strftime("%Y%m%d", time.gmtime())
    then = time.time() - 40 * 86_400
    for path in config.ndjson_dir.glob("events_*"):
        if today not in path.name:
            os.utime(path, (then, then))


def test_a_life(base: Path) -> None:
    """Nothing is lost or doubled, whatever is killed and whatever is held open meanwhile."""
    config = TelemetryConfig.for_base(base)
    acknowledged, killed = _live_and_die(base, random.Random(20_261_126))
    assert judge(config, acknowledged) >= len(acknowledged)
    _archive(config, acknowledged)
    late = _back_up_and_restore(config, acknowledged)
    _prune(config, late, killed)
    _done(base, "verify")
    _done(base, "doctor")


def _archive(config: TelemetryConfig, acknowledged: list[str]) -> None:
    """Archive the day that is over: once nobody has it open, where that counts."""
    base = config.metrics_dir
    (segment,) = config.ndjson_dir.glob("events_????????.ndjson")
    _age(config)
    if os.name == "nt":
        with _held(segment):
            assert "is open in another program" in _done(
                base, "archive", "--older-than", "30d", code=3
            )
        judge(config, acknowledged)
    _done(base, "archive", "--older-than", "30d")
    assert not segment.exists()
    judge(config, acknowledged)


def _back_up_and_restore(config: TelemetryConfig, acknowledged: list[str]) -> str:
    """Back up, rebuild and restore, past a reader and a handle; return what came in between."""
    base = config.metrics_dir
    (archive,) = config.ndjson_dir.glob("events_????????.ndjson.*")
    with closing(sqlite3.connect(config.database_path)) as reader, _held(archive):
        reader.execute("BEGIN")
        before = reader.execute(_EVERYTHING).fetchall()
        _done(base, "backup", "--with-log")
        _done(base, "rebuild")
        assert reader.execute(_EVERYTHING).fetchall() == before
    assert _rows(base, _EVERYTHING) == before
    judge(config, acknowledged)

    client = TelemetryClient(config)
    with client.track_run("agent", "later"):
        late = client.log_event("run-late", "e")
    client.close()
    assert late is not None
    (backup,) = (base / "backups").glob("*.tar")
    with closing(sqlite3.connect(config.database_path)) as reader, _held(archive):
        reader.execute("SELECT 1 FROM agent_runs").fetchall()
        _done(base, "restore", "--yes", str(backup))
    judge(config, [*acknowledged, late])
    return late


def _prune(config: TelemetryConfig, late: str, killed: set[str]) -> None:
    """Prune the day that is over, while a reader reads and somebody has its archive open."""
    base = config.metrics_dir
    (archive,) = config.ndjson_dir.glob("events_????????.ndjson.*")
    _age(config)
    with closing(sqlite3.connect(config.database_path)) as reader:
        reader.execute("BEGIN")
        before = reader.execute(_EVERYTHING).fetchall()
        if os.name == "nt":
            with _held(archive):
                assert "is open in another program" in _done(
                    base, "prune", "--older-than", "30d", "--yes", code=3
                )
            # What others held nothing of is gone; this segment is there with its rows.
            assert archive.exists()
            assert len(_rows(base, _EVERYTHING)) == len(before)
            judge(config, [late])
        pruned = _done(base, "prune", "--older-than", "30d", "--yes")
        assert reader.execute(_EVERYTHING).fetchall() == before
    judge(config, [late])
    left = {row[0] for row in _rows(base, "SELECT run_id FROM agent_runs")}
    assert left.isdisjoint(killed), (pruned, sorted(os.listdir(config.ndjson_dir)))


@pytest.mark.skipif(sys.platform != "win32", reason="nobody can keep others from reading a file")
def test_a_segment_that_nobody_else_may_read_costs_no_row(base: Path) -> None:
    """While a program has it for itself a rebuild refuses, and all rows stay; then all is well."""
    import _winapi

    config = TelemetryConfig.for_base(base)
    client = TelemetryClient(config)
    ids = [client.log_event("run", "step", {"number": number}) for number in range(20)]
    client.close()
    judge(config, ids)
    (segment,) = config.ndjson_dir.glob("events_????????.ndjson")
    before = _rows(base, _EVERYTHING)
    handle = _winapi.CreateFile(str(segment), _winapi.GENERIC_READ, 0, 0, 3, 0, 0)
    try:
        said = _done(base, "rebuild", code=1)
        assert segment.name in said
        assert _rows(base, _EVERYTHING) == before
        assert segment.name in _done(base, "verify", code=1)
    finally:
        _winapi.CloseHandle(handle)
    judge(config, ids)
    _done(base, "doctor")
