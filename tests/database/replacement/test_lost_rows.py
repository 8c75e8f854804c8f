"""All clear means all clear: what is recorded and cannot be read, or is gone, is said and kept."""

from __future__ import annotations

import os
import shutil

import pytest

from indexer.database.freshness import index_once
from indexer.database.rebuild import rebuild
from indexer.errors import RowsWouldBeLost
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.cli import Cli
from tests.support.database import count_runs, event, lines_of, rows

_DAY = "events_20261120.ndjson"


@pytest.fixture
def config(base) -> TelemetryConfig:
    """A base with two old segments, indexed."""
    config = TelemetryConfig.for_base(base)
    config.ndjson_dir.mkdir(parents=True)
    (config.ndjson_dir / _DAY).write_bytes(lines_of([event(1, "run.started", "one")]))
    (config.ndjson_dir / "events_20261121.ndjson").write_bytes(
        lines_of([event(2, "run.started", "two")])
    )
    index_once(Base(config))
    return config


@pytest.fixture
def cli(config: TelemetryConfig, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line on the base."""
    return Cli(config.metrics_dir, capsys)


@pytest.mark.parametrize("ending", [".1", "-20261121", ".1.gz"])
def test_a_segment_that_logrotate_renamed_is_read_on(config: TelemetryConfig, ending: str) -> None:
    """With the lines that came just before; its rows follow it, and a rebuild keeps them."""
    import gzip

    path = config.ndjson_dir / _DAY
    with path.open("ab") as log:
        log.write(lines_of([event(3, "run.ended", "one")]))
    rotated = path.with_name(_DAY + ending)
    data = path.read_bytes()
    path.unlink()
    rotated.write_bytes(gzip.compress(data) if ending.endswith(".gz") else data)
    assert rows(config, "SELECT status FROM agent_runs WHERE run_id = 'one'") == [("success",)]
    rebuild(Base(config))
    assert rows(config, "SELECT count(*) FROM run_events") == [(3,)]


def test_status_says_what_is_not_read(config: TelemetryConfig, cli: Cli) -> None:
    """A copy that an editor left, a compression that nobody can read."""
    (config.ndjson_dir / f"{_DAY}.bak").write_bytes(b"")
    ran = cli("status", "--json")
    assert ran.code == 3
    assert f"{_DAY}.bak" in " ".join(ran.json["problems"])
    assert ran.json["ignored_files"] == [f"{_DAY}.bak"]


@pytest.mark.parametrize("gone", ["one segment", "the directory"])
def test_rows_whose_segments_are_gone_are_said_and_kept(
    config: TelemetryConfig, cli: Cli, gone: str
) -> None:
    """Until somebody says that they may go."""
    if gone == "one segment":
        (config.ndjson_dir / _DAY).unlink()
    else:
        shutil.rmtree(config.ndjson_dir)
    lost = 1 if gone == "one segment" else 2
    ran = cli("status", "--json")
    assert (ran.code, ran.json["events_without_segment"]) == (3, lost)
    with pytest.raises(RowsWouldBeLost, match=f"{lost} events"):
        rebuild(Base(config))
    assert cli("rebuild").code == 1
    assert count_runs(config) == 2
    assert cli("rebuild", "--force").code == 0
    assert count_runs(config) == 2 - lost
    assert cli("status", "--json").json["events_without_segment"] == 0


def test_a_segment_that_comes_back_is_all_clear_again(config: TelemetryConfig, cli: Cli) -> None:
    """Under its name or another one."""
    path = config.ndjson_dir / _DAY
    data = path.read_bytes()
    path.unlink()
    assert cli("status").code == 3
    path.with_name("events_20200101.ndjson").write_bytes(data)
    ran = cli("status", "--json")
    assert (ran.code, ran.json["events_without_segment"], ran.json["problems"]) == (0, 0, [])
    rebuild(Base(config))
    assert count_runs(config) == 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_an_unreadable_segment_is_said_and_its_rows_are_kept(
    config: TelemetryConfig, cli: Cli
) -> None:
    """Also where no daemon runs."""
    path = config.ndjson_dir / _DAY
    path.chmod(0)
    try:
        ran = cli("status", "--json")
        assert (ran.code, [one["file"] for one in ran.json["unreadable_files"]]) == (3, [_DAY])
        with pytest.raises(RowsWouldBeLost, match=_DAY):
            rebuild(Base(config))
    finally:
        path.chmod(0o600)
    assert count_runs(config) == 2


def test_a_segment_of_an_unknown_compression_keeps_its_rows(config: TelemetryConfig) -> None:
    """What cannot be decoded cannot be folded again."""
    path = config.ndjson_dir / _DAY
    path.write_bytes(b"")
    os.rename(path, path.with_name(f"{_DAY}.gz"))
    (config.ndjson_dir / f"{_DAY}.gz").write_bytes(b"no gzip at all")
    index_once(Base(config))
    with pytest.raises(RowsWouldBeLost):
        rebuild(Base(config))
    assert count_runs(config) == 2


def test_a_rebuild_after_a_normal_day_refuses_nothing(
    config: TelemetryConfig, client: TelemetryClient
) -> None:
    """Events that came meanwhile, duplicates and bad lines are no loss."""
    with (config.ndjson_dir / _DAY).open("ab") as log:
        log.write(b"not an event\n" + lines_of([event(1, "run.started", "one")]))
    index_once(Base(config))
    client.start_run("agent", "job")
    rebuild(Base(config))
    assert count_runs(config) == 3
