"""When a command that reads may go without a pass over the log."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Callable

import pytest

from indexer.database.freshness import index_once
from indexer.database.up_to_date import open_if_up_to_date
from indexer.store.connection import open_writer
from indexer.system.base import Base
from telemetry_core import TelemetryClient
from tests.support.cli import COMMAND
from tests.support.process import environment, run


@pytest.fixture
def settled(base: Path, client: TelemetryClient) -> Base:
    """A base of two segments that was read to its end."""
    with client.track_run("agent", "job") as recording:
        recording.log_event("e", {"n": 1})
    (segment,) = (base / "raw").glob("events_*.ndjson")
    (base / "raw" / "events_20200101.ndjson").write_bytes(segment.read_bytes())
    found = Base.at(base, {})
    index_once(found)
    return found


def _is_open(base: Base) -> bool:
    connection = open_if_up_to_date(base)
    if connection is None:
        return False
    with closing(connection):
        assert connection.execute("SELECT count(*) FROM agent_runs").fetchone() == (1,)
        with pytest.raises(sqlite3.OperationalError):
            connection.execute("DELETE FROM agent_runs")
    return True


def test_nothing_new_needs_no_pass(settled: Base) -> None:
    """The database can be read at once, and only read."""
    assert _is_open(settled)


def _append(base: Base) -> None:
    with TelemetryClient(base.config).track_run("agent", "another"):
        pass


def _add_segment(base: Base) -> None:
    (base.log_directory / "events_20200102.ndjson").write_bytes(b"")


def _remove_segment(base: Base) -> None:
    (base.log_directory / "events_20200101.ndjson").unlink()


def _rename_segment(base: Base) -> None:
    path = base.log_directory / "events_20200101.ndjson"
    path.rename(path.with_name("events_20200103.ndjson"))


def _rewrite_segment(base: Base) -> None:
    path = base.log_directory / "events_20200101.ndjson"
    content, changed = path.read_bytes(), path.stat().st_mtime_ns
    path.write_bytes(content)
    os.utime(path, ns=(changed + 10**9, changed + 10**9))


def _add_index(base: Base) -> None:
    _execute(base, "CREATE UNIQUE INDEX mine ON agent_runs (job_type)")


def _other_version(base: Base) -> None:
    _execute(base, "PRAGMA user_version = 1")


def _add_unpriced_call(base: Base) -> None:
    _execute(
        base,
        "INSERT INTO run_spans (run_id, span_id, name, kind, model, input_tokens, counted)"
        " VALUES ('r', 's', 'chat', 'llm', 'gpt-5', 1, 1)",
    )


def _configure(text: str) -> Callable[[Base], None]:
    def configure(base: Base) -> None:
        (base.directory / "config").mkdir(exist_ok=True)
        (base.directory / "config" / "telemetry.toml").write_text(text)

    return configure


def _delete(base: Base) -> None:
    base.database_path.unlink()


def _overwrite(base: Base) -> None:
    base.database_path.write_bytes(b"no database at all " * 100)


def _execute(base: Base, sql: str) -> None:
    with closing(open_writer(base.database_path)) as connection:
        connection.execute(sql)


@pytest.mark.parametrize(
    "change",
    [
        _append,
        _add_segment,
        _remove_segment,
        _rename_segment,
        _rewrite_segment,
        _add_index,
        _other_version,
        _add_unpriced_call,
        _configure("[search]\nindex = true\n"),
        _configure('[targets.there]\nkind = "http"\nurl = "http://127.0.0.1:9/"\n'),
        _delete,
        _overwrite,
    ],
)
def test_whatever_a_pass_would_change_needs_one(
    settled: Base, change: Callable[[Base], None]
) -> None:
    """Lines, files, schema, prices, index, targets: all of it is left to the pass."""
    change(settled)
    assert not _is_open(settled)


def test_another_limit_of_silence_needs_a_pass(settled: Base) -> None:
    """The view of stale runs goes by it."""
    changed = Base.at(settled.directory, {"TELEMETRY_STALE_AFTER": "17"})
    assert not _is_open(changed)


def test_a_killed_run_needs_a_pass(base: Path) -> None:
    """Its process is gone, and nobody has noted that yet; then it is known."""
    found = Base.at(base, {})
    child = """
        import sys
        from pathlib import Path
        from telemetry_core import TelemetryClient
        from indexer.database.freshness import index_once
        from indexer.system.base import Base
        TelemetryClient(Path(sys.argv[1])).start_run("agent", "job")
        index_once(Base.at(Path(sys.argv[1]), {}))
    """
    run(child, str(base))
    assert not _is_open(found)
    index_once(found)
    assert _is_open(found)


@pytest.fixture
def modules(settled: Base) -> Callable[..., set[str]]:
    """Runs a command, and returns which modules it imported."""

    def ran(*words: str) -> set[str]:
        found = subprocess.run(
            [
                COMMAND[0],
                "-X",
                "importtime",
                *COMMAND[1:],
                "--base",
                str(settled.directory),
                *words,
            ],
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        lines = [line for line in found.stderr.splitlines() if line.startswith("import time:")]
        return {line.rpartition("|")[2].strip() for line in lines}

    return ran


@pytest.mark.parametrize("words", [("runs",), ("show", "latest"), ("stats",), ("status",)])
def test_a_command_that_finds_nothing_new_imports_no_indexer(
    modules: Callable[..., set[str]], words: tuple[str, ...]
) -> None:
    """Neither what reads lines nor what folds them."""
    imported = modules(*words)
    assert "indexer.database.up_to_date" in imported
    assert not imported & {"indexer.ingest.ingest", "indexer.ingest.fold", "indexer.log.decode"}
