"""The indexer dies, or the disk refuses, at system calls all over a pass and a rebuild."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from indexer.fresh import index_once
from indexer.verify import verify
from telemetry_core import TelemetryConfig
from tests.support.process import environment
from tests.support.view import event, indexed_from_scratch, lines_of, tables

_CALLS = "pwrite64,write,fsync,fdatasync,ftruncate,unlink,rename,openat"
_POINTS = int(os.environ.get("TELEMETRY_CRASH_POINTS", "5"))
"""Crashes of one kind, spread over the whole of the work."""

# Nothing is injected before the work begins: what Python opens to start is no concern of ours.
_CODE = """
import sys
from pathlib import Path
from indexer import fresh, reading, rebuild
from telemetry_core import TelemetryConfig
reading.MAX_BATCH_LINES = 50
rebuild._SWAP_PAGES = 20
config = TelemetryConfig.for_base(Path(sys.argv[1]))
work = {"index": fresh.index_once, "rebuild": rebuild.rebuild}[sys.argv[2]]
import resource
work(config)
"""


def _may_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    command = ["strace", "-e", "trace=none", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _may_trace(), reason="strace is missing, or may not trace")


@pytest.fixture
def prepared(tmp_path: Path) -> TelemetryConfig:
    """A base with a view of the first half of a log of several files, a copy and bad lines."""
    config = TelemetryConfig.for_base(tmp_path / "prepared")
    config.ndjson_dir.mkdir(parents=True)
    events = [
        event(n, ("run.started", "run.event", "run.ended")[n % 3], f"run-{n % 40}", note="x" * 200)
        for n in range(600)
    ]
    log = config.ndjson_dir
    (log / "events_1.ndjson").write_bytes(lines_of(events[:200]) + b"bad\n")
    (log / "events_2.ndjson").write_bytes(lines_of(events[100:300]))
    index_once(config)
    (log / "events_0.ndjson").write_bytes(lines_of(events[50:150]))
    (log / "events_2.ndjson").write_bytes(lines_of(events[100:450]) + b"worse\n")
    (log / "events_3.ndjson").write_bytes(lines_of(events[400:]) + b'{"torn')
    return config


def _traced(base: Path, work: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["strace", "-f", "-qq", *options, sys.executable, "-c", _CODE, str(base), work],
        capture_output=True, text=True, check=False, timeout=120,
        env=environment(PYTHONHASHSEED="0"),
    )  # fmt: skip


def _calls(prepared: TelemetryConfig, directory: Path, work: str) -> list[tuple[str, int]]:
    """The calls of the work, in order: each one's name, and how many of that name it makes."""
    base = _copy(prepared, directory / "counted").metrics_dir
    done = _traced(base, work, "-e", f"trace={_CALLS}")
    assert done.returncode == 0, done.stderr
    # One thread makes all of them. What comes before the lease is Python, which is starting.
    count: Counter[str] = Counter()
    calls: list[tuple[str, int]] = []
    for line in done.stderr.splitlines():
        name = line.partition("(")[0]
        count[name] += 1
        if calls or "/db/indexer.lock" in line or "/db/rebuild.lock" in line:
            calls.append((name, count[name]))
    shutil.rmtree(base)
    return calls


def _copy(config: TelemetryConfig, base: Path) -> TelemetryConfig:
    shutil.copytree(config.metrics_dir, base)
    return TelemetryConfig.for_base(base)


@pytest.mark.parametrize("fault", ["signal=KILL", "error=ENOSPC", "error=EIO"])
@pytest.mark.parametrize("work", ["index", "rebuild"])
def test_a_crash_at_any_system_call_leaves_a_view_that_comes_right(
    prepared: TelemetryConfig, tmp_path: Path, work: str, fault: str
) -> None:
    """Old rows or new ones stand, the file is sound, and the next pass gives what one would."""
    calls = _calls(prepared, tmp_path, work)
    old = tables(prepared.database_path)
    for number in range(_POINTS):
        call, count = calls[len(calls) * (2 * number + 1) // (2 * _POINTS)]
        config = _copy(prepared, tmp_path / f"{work}-{number}")
        done = _traced(
            config.metrics_dir, work, "-e", f"trace={call}",
            "-e", f"inject={call}:{fault}:when={count}",
        )  # fmt: skip
        where = f"{work} with {fault} at {call} {count}: {done.stderr[-2000:]}"
        assert "SIGKILL" in done.stderr or "INJECTED" in done.stderr, where
        _check(config, tmp_path / "new.sqlite", old if work == "rebuild" else None, where)
        shutil.rmtree(config.metrics_dir)


def _check(config: TelemetryConfig, new: Path, old: Any, where: str) -> None:
    with closing(sqlite3.connect(config.database_path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), where
        (unaccounted,) = connection.execute(
            "SELECT count(*) FROM log_files"
            " WHERE offset <> indexed_bytes + duplicate_bytes + quarantined_bytes"
        ).fetchone()
        assert unaccounted == 0, where
    expected = indexed_from_scratch(config, new)
    new.unlink()
    if old is not None:
        stands = _without_identity(tables(config.database_path))
        assert stands in (_without_identity(old), _without_identity(expected)), where
    index_once(config)
    assert verify(config).is_ok, where
    assert tables(config.database_path) == expected, where


def _without_identity(found: dict[str, Any]) -> dict[str, Any]:
    """The tables but for inodes, which are other ones in a copied base."""
    return {name: rows for name, rows in found.items() if name != "log_files"}
