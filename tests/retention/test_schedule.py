"""The daemon archives and prunes by configuration, and only then."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import pytest

from indexer.database.freshness import index_once
from indexer.database.verify import verify
from indexer.errors import DatabaseUnusable
from indexer.health.health import check_health
from indexer.retention import schedule as keeping_module
from indexer.retention.schedule import RetentionSchedule
from indexer.store.connection import reading
from indexer.store.status import read_status
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.cli import COMMAND
from tests.support.daemon import eventually
from tests.support.database import event, indexed_from_scratch, lines_of, tables
from tests.support.process import environment

DAYS = ("20240101", "20250101", "20250102")


@pytest.fixture
def config(base: Path) -> TelemetryConfig:
    """A base with three days of years ago, and today."""
    config = TelemetryConfig.for_base(base)
    config.ndjson_dir.mkdir(parents=True)
    for number, day in enumerate(DAYS):
        path = config.ndjson_dir / f"events_{day}.ndjson"
        written = event(number)._replace(time=f"{day[:4]}-{day[4:6]}-{day[6:]}T12:00:00.000000Z")
        path.write_bytes(lines_of([written]))
        os.utime(path, (0, 0))
    TelemetryClient(config).start_run("a", "j")
    return config


def names(config: TelemetryConfig) -> list[str]:
    return sorted(name for name in os.listdir(config.ndjson_dir) if not name.startswith("."))


@contextmanager
def daemon(config: TelemetryConfig, **variables: str) -> Iterator[None]:
    """A daemon with variables, which has to end well."""
    process = subprocess.Popen(
        [*COMMAND, "--base", str(config.metrics_dir), "index", "--watch"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(TELEMETRY_POLL_INTERVAL="0.1", **variables),
    )
    try:
        yield
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    finally:
        process.kill()
        process.communicate()


def last_error(config: TelemetryConfig) -> str:
    try:
        with reading(config.database_path) as connection:
            return read_status(connection).get("last_error") or ""
    except DatabaseUnusable:
        # It is only being made.
        return ""


def check(config: TelemetryConfig, tmp_path: Path) -> None:
    assert verify(Base(config)).differences == []
    assert tables(config.database_path) == indexed_from_scratch(config, tmp_path / "s.sqlite")


@pytest.mark.needs("signals")
def test_it_archives_and_prunes_what_is_old_enough(config: TelemetryConfig, tmp_path: Path) -> None:
    """One file after the other, and the view goes along."""
    today = names(config)[-1]
    old = f"{(datetime.now(timezone.utc) - datetime(2024, 7, 1, tzinfo=timezone.utc)).days}d"
    with daemon(config, TELEMETRY_ARCHIVE_AFTER="30d", TELEMETRY_PRUNE_AFTER=old):
        eventually(lambda: len(names(config)) == 3)
        eventually(lambda: not [n for n in names(config) if n.endswith("n") and n != today])
        eventually(lambda: not verify(Base(config)).differences)
        assert last_error(config) == ""
    assert [name.split(".")[0] for name in names(config)] == [
        "events_20250101",
        "events_20250102",
        today.split(".")[0],
    ]
    check(config, tmp_path)


def test_it_does_neither_unasked(config: TelemetryConfig) -> None:
    """Off by default, however old the days."""
    before = names(config)
    index_once(Base(config))
    assert RetentionSchedule(Base(config), lambda: False).run_due() == []
    assert names(config) == before


@pytest.mark.needs("signals")
@pytest.mark.parametrize("setting", ["archive_after", "prune_after"])
def test_a_setting_that_makes_no_sense_does_nothing_and_is_said(
    config: TelemetryConfig, setting: str
) -> None:
    """In the status, as other errors are."""
    before = names(config)
    variable = f"TELEMETRY_{setting.upper()}"
    with daemon(config, **{variable: "365"}):
        eventually(lambda: variable in last_error(config))
        with reading(config.database_path) as connection:
            connection.row_factory = sqlite3.Row
            problems = check_health(Base(config), connection).problems
        assert any(variable in problem for problem in problems)
    assert names(config) == before


@pytest.mark.needs("signals")
def test_what_fails_is_said_and_ends_nothing(config: TelemetryConfig) -> None:
    """A file that can't be archived is named; the others are, and passes go on."""
    stuck = config.ndjson_dir / f"events_{DAYS[0]}.ndjson"
    os.link(stuck, config.metrics_dir / "other")
    with daemon(config, TELEMETRY_ARCHIVE_AFTER="30d"):
        eventually(lambda: sum(n.endswith("n") for n in names(config)) == 2)
        eventually(lambda: stuck.name in last_error(config))
        TelemetryClient(config).start_run("b", "j")
        eventually(lambda: not verify(Base(config)).differences)
    assert stuck.exists()


def test_it_waits_for_whoever_is_at_it_and_an_hour_between(
    config: TelemetryConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup is no error; and what can't be done is not tried with every pass."""
    before = names(config)
    config.archive_after = "30d"
    index_once(Base(config))
    keeping = RetentionSchedule(Base(config), lambda: False)
    with Base(config).segments_lease("backup"):
        assert keeping.run_due() == []
    assert keeping.run_due() == []
    assert names(config) == before
    monkeypatch.setattr(keeping_module.time, "monotonic", lambda: keeping._next + 1)
    assert keeping.run_due() == []
    assert names(config) != before


def test_told_to_stop_it_leaves_nothing_half_done(config: TelemetryConfig) -> None:
    """In the middle of a file."""
    before = sorted(os.listdir(config.ndjson_dir))
    config.archive_after = "30d"
    index_once(Base(config))
    assert RetentionSchedule(Base(config), lambda: True).run_due() == []
    assert sorted({*os.listdir(config.ndjson_dir)} - {".keeping.lock"}) == before
