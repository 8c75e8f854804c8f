"""Stale runs: derived from what is there now, never written as if the agent had said so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from datetime import datetime, timezone
from pathlib import Path
from typing import Optional

import pytest

from indexer.database import gone_processes
from indexer.store.status import RunningProcess
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.event import Event
from telemetry_core.line import encode
from telemetry_core.process import host_name
from telemetry_core.timestamp import format_time
from tests.support.database import rows
from tests.support.process import environment, run, start

_STALE = "SELECT agent_name, reason FROM stale_runs ORDER BY agent_name"
_START = """
    import sys
    from pathlib import Path
    from telemetry_core import TelemetryClient, TelemetryConfig
    client = TelemetryClient(TelemetryConfig.for_base(Path(sys.argv[1])))
    print(client.start_run(sys.argv[2], "job"), flush=True)
    sys.stdin.read()
"""


def test_a_run_whose_process_is_gone_is_stale(base: Path) -> None:
    """It stays running in `agent_runs`: nobody said that it ended."""
    config = TelemetryConfig.for_base(base)
    alive = start(_START, str(base), "alive")
    assert alive.stdout is not None
    alive.stdout.readline()
    run(_START, str(base), "gone")
    assert rows(config, _STALE) == [("gone", "process gone")]
    assert rows(config, "SELECT DISTINCT status FROM agent_runs") == [("running",)]
    alive.communicate()
    assert rows(config, _STALE) == [("alive", "process gone"), ("gone", "process gone")]


def test_an_end_by_somebody_else_brings_it_back(base: Path) -> None:
    """A run is stale no longer once it ends, from whatever process."""
    config = TelemetryConfig.for_base(base)
    run_id = run(_START, str(base), "gone").strip()
    assert rows(config, _STALE) == [("gone", "process gone")]
    TelemetryClient(config).end_run(run_id, "failed")
    assert rows(config, _STALE) == []


def test_a_run_that_was_silent_for_too_long_is_stale(base: Path) -> None:
    """On another host there is no process to look for; silence tells, by the configured limit."""
    config = TelemetryConfig.for_base(base)
    config.ndjson_dir.mkdir(parents=True)
    event = Event("i", "elsewhere/1", "run.started", "r", "2026-01-01T00:00:00.000000Z", {})
    (config.ndjson_dir / "events_20260101.ndjson").write_bytes(encode(event))
    assert rows(config, "SELECT reason FROM stale_runs") == [("silent",)]
    config.stale_after = 1e12
    assert rows(config, "SELECT reason FROM stale_runs") == []


@pytest.mark.parametrize(
    "start_of_process",
    ["windows:1" if os.name == "nt" else "boot:1", None],
    ids=["known", "unknown"],
)
def test_a_pid_used_again_does_not_pass_for_the_old_process(
    client: TelemetryClient, start_of_process: Optional[str]
) -> None:
    """Boot and start time tell one incarnation of a pid from the next, where they are known."""
    config = client.config
    config.ndjson_dir.mkdir(parents=True)
    extensions = {"processstart": start_of_process} if start_of_process else None
    source = f"{host_name()}/{os.getpid()}"
    # Heard of before this machine started, so it is no other machine of the same name.
    event = Event("i", source, "run.started", "r", "1999-01-01T00:00:00.000000Z", {}, extensions)
    (config.ndjson_dir / "events_20260101.ndjson").write_bytes(encode(event))
    config.stale_after = 1e12
    expected = [("process gone",)] if start_of_process else []
    assert rows(config, "SELECT reason FROM stale_runs") == expected


def test_a_living_run_of_another_machine_of_the_same_name_is_not_gone(
    client: TelemetryClient,
) -> None:
    """It is of another boot, and was heard of since this machine started."""
    config = client.config
    config.ndjson_dir.mkdir(parents=True)
    extensions = {"processstart": "another-boot:1"}
    source = f"{host_name()}/{os.getpid()}"
    now = format_time(datetime.now(timezone.utc))
    event = Event("i", source, "run.started", "r", now, {}, extensions)
    (config.ndjson_dir / "events_20260101.ndjson").write_bytes(encode(event))
    assert rows(config, "SELECT reason FROM stale_runs") == []


def test_a_new_event_shows_that_a_run_lives(client: TelemetryClient) -> None:
    """Whatever was concluded from its process before."""
    config = client.config
    config.ndjson_dir.mkdir(parents=True)
    config.stale_after = 1e12
    source, path = f"{host_name()}/4194304", config.ndjson_dir / "events_20260101.ndjson"
    started = Event("i", source, "run.started", "r", "1999-01-01T00:00:00.000000Z", {})
    path.write_bytes(encode(started))
    assert rows(config, "SELECT reason FROM stale_runs") == [("process gone",)]
    client.log_event("r", "still", "here")
    assert rows(config, "SELECT reason FROM stale_runs") == []


def test_what_is_no_source_of_this_host_is_not_called_gone() -> None:
    """A name without a number, another host's, a number that no process has."""
    for source in ("not a source", f"{host_name()}/²", "elsewhere/1"):
        assert not gone_processes._is_gone(RunningProcess(source, "", "2026"))


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_a_run_of_another_container_is_not_called_gone(base: Path) -> None:
    """It has a pid namespace of its own and this host's name, and is alive."""
    config = TelemetryConfig.for_base(base)
    isolated = subprocess.Popen(
        [
            "unshare",
            "-r",
            "--pid",
            "--fork",
            "--mount-proc",
            sys.executable,
            "-c",
            textwrap.dedent(_START),
            str(base),
            "contained",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        assert isolated.stdout is not None
        if not isolated.stdout.readline():
            pytest.skip("no pid namespace can be made here")
        # It is process 1 there, and process 1 here is another one.
        assert rows(config, "SELECT source FROM agent_runs") == [(f"{host_name()}/1",)]
        assert rows(config, _STALE) == []
    finally:
        isolated.communicate()
