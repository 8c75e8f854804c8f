"""A life of a base: eight agents and a daemon, kills, and all that becomes of the log later.

The same story on every platform. Where an open file can't be moved, it reports foreign handles
that are in the way as well.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.cli import in_process
from tests.support.daemon import eventually, running_daemon
from tests.support.oracle import judge
from tests.support.process import environment

_AGENTS = 8
_KILLED = 4
_EVENTS = 150

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

    The daemon has to see by itself which runs will never end.
    """
    acknowledged: list[str] = []
    killed = {f"run-{number}" for number in chance.sample(range(_AGENTS), _KILLED)}
    with running_daemon(base, poll_interval=0.1, heartbeat=0.2):
        agents = {f"run-{number}": _start(base, f"run-{number}") for number in range(_AGENTS)}
        for name, agent in agents.items():
            if name in killed:
                acknowledged += _read(agent, chance.randrange(1, _EVENTS))
                # TerminateProcess on Windows, SIGKILL elsewhere.
                agent.kill()
        for name, agent in agents.items():
            rest, _ = agent.communicate("" if name in killed else "end\n", timeout=60)
            acknowledged += [line for line in rest.split() if len(line) == 36]
        gone = "SELECT run_id FROM stale_runs WHERE reason = 'process gone'"
        eventually(lambda: _is_there(base) and {row[0] for row in _rows(base, gone)} == killed, 60)
    return acknowledged, killed


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

    (segment,) = config.ndjson_dir.glob("events_????????.ndjson")
    _age(config)
    if os.name == "nt":
        with segment.open("rb"):
            held = _done(base, "archive", "--older-than", "30d", code=3)
        assert "is open in another program" in held
        judge(config, acknowledged)
    _done(base, "archive", "--older-than", "30d")
    assert not segment.exists()
    judge(config, acknowledged)

    everything = "SELECT * FROM agent_runs ORDER BY run_id"
    with closing(sqlite3.connect(config.database_path)) as reader:
        reader.execute("BEGIN")
        before = reader.execute(everything).fetchall()
        backup = _done(base, "backup", "--with-log", "--json")
        _done(base, "rebuild")
        assert reader.execute(everything).fetchall() == before
    assert _rows(base, everything) == before
    judge(config, acknowledged)

    client = TelemetryClient(config)
    with client.track_run("agent", "later"):
        late = client.log_event("run-late", "e")
    client.close()
    tar = next((base / "backups").glob("*.tar"))
    assert tar.name in backup
    _done(base, "restore", "--yes", str(tar))
    judge(config, [*acknowledged, late])

    _age(config)
    with closing(sqlite3.connect(config.database_path)) as reader:
        reader.execute("BEGIN")
        assert len(reader.execute(everything).fetchall()) > len(before)
        pruned = _done(base, "prune", "--older-than", "30d", "--yes")
    judge(config, [late])
    left = {row[0] for row in _rows(base, "SELECT run_id FROM agent_runs")}
    assert left.isdisjoint(killed), (pruned, sorted(os.listdir(config.ndjson_dir)))
    _done(base, "verify")
    _done(base, "doctor")
