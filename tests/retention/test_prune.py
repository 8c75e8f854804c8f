"""Old days deleted, and the view what a rebuild of the rest gives."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest import mock

import pytest

from indexer.database.freshness import index_once
from indexer.database.verify import verify
from indexer.errors import AlreadyRunning
from indexer.log.segments import list_segments
from indexer.retention import prune as prune_module
from indexer.retention.prune import plan_prune, prune
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from telemetry_core.event import Event
from telemetry_core.line import encode
from telemetry_core.shared_log import SharedLog
from telemetry_core.spill_file import SpillFile
from telemetry_core.timestamp import format_time
from tests.support.cli import Cli, at_terminal
from tests.support.daemon import eventually, running_daemon
from tests.support.database import event, indexed_from_scratch, legacy_line, lines_of, rows, tables
from tests.support.process import environment

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
MONTH = timedelta(days=30)
OLD, KEPT = "events_20260101.ndjson", "events_20260228.ndjson"


def _events() -> tuple[list[Event], list[Event]]:
    """Of two days: a run of the first, one of the second, one of both, one still running."""
    first = [
        event(0, "run.started", "a"),
        event(1, "run.ended", "a"),
        event(2, "run.started", "both", agent_name="x"),
        event(3, "run.started", "on"),
    ]
    second = [
        event(10, "run.ended", "both"),
        event(11, "run.started", "b"),
        event(12, "run.event", "on"),
    ]
    return first, second


@pytest.fixture(autouse=True)
def _written_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """The segments of these tests were written now, and stand for old ones."""
    monkeypatch.setattr("indexer.retention.prune._modified", lambda _: 0.0)


@pytest.fixture
def config(base: Path) -> TelemetryConfig:
    """A base with an old day, which has a bad line and a torn one, and a later day."""
    config = TelemetryConfig.for_base(base)
    config.ndjson_dir.mkdir(parents=True)
    first, second = _events()
    (config.ndjson_dir / OLD).write_bytes(lines_of(first) + b'bad\n{"torn')
    (config.ndjson_dir / KEPT).write_bytes(lines_of(second) + b"worse\n")
    return config


def names(config: TelemetryConfig) -> list[str]:
    return [file.name for file in list_segments(config.ndjson_dir)]


def prune_old(config: TelemetryConfig) -> dict[str, str]:
    index_once(Base(config))
    return prune(Base(config), plan_prune(Base(config), MONTH, NOW).files)


def check(config: TelemetryConfig, tmp_path: Path) -> None:
    """The view is what the log says: before the next pass, and after it."""
    expected = indexed_from_scratch(config, tmp_path / "scratch.sqlite")
    (tmp_path / "scratch.sqlite").unlink()
    assert tables(config.database_path) == expected
    assert verify(Base(config)).differences == []
    assert tables(config.database_path) == expected


def test_the_plan_says_what_will_go(config: TelemetryConfig) -> None:
    """Files, bytes, events, runs: those that vanish, that lose events, that still run."""
    index_once(Base(config))
    before = tables(config.database_path)
    plan = plan_prune(Base(config), MONTH, NOW)
    assert plan.files == [OLD]
    assert plan.bytes == (config.ndjson_dir / OLD).stat().st_size
    assert (plan.events, plan.runs_vanishing, plan.runs_losing_events) == (4, 1, 2)
    assert plan.runs_running == ["on"]
    assert plan.skipped == {}
    assert tables(config.database_path) == before
    assert names(config) == [OLD, KEPT]


def test_a_pruned_base_rebuilds_to_the_same_rows(config: TelemetryConfig, tmp_path: Path) -> None:
    """Runs of the old day are gone, a run of both days has what its later events say."""
    assert prune_old(config) == {}
    assert names(config) == [KEPT]
    check(config, tmp_path)
    found = rows(config, "SELECT run_id, status, agent_name FROM agent_runs ORDER BY run_id")
    assert found == [("b", "running", None), ("both", "success", None), ("on", None, None)]


def test_own_and_compressed_files_go_too(config: TelemetryConfig, tmp_path: Path) -> None:
    """Whatever a file of the day is called and packed with."""
    raw = config.ndjson_dir
    (raw / "events_20260101.web-1.ndjson").write_bytes(b"\n" + lines_of([event(4)]))
    (raw / "events_20260102.ndjson.gz").write_bytes(gzip.compress(lines_of([event(5)])))
    (raw / "events_20260102.1.ndjson.gz").write_bytes(gzip.compress(lines_of([event(6)])))
    (raw / "old.ndjson").write_bytes(lines_of([event(7)]))
    assert prune_old(config) == {}
    assert names(config) == [KEPT, "old.ndjson"]
    check(config, tmp_path)


def test_what_a_kept_file_repeats_stays(config: TelemetryConfig, tmp_path: Path) -> None:
    """An event of the old day that is in a later file as well is an event of that now."""
    first, _ = _events()
    with (config.ndjson_dir / KEPT).open("ab") as file:
        file.write(lines_of(first[2:]))
    prune_old(config)
    check(config, tmp_path)
    assert rows(config, "SELECT agent_name FROM agent_runs WHERE run_id = 'both'") == [("x",)]


def test_of_two_events_that_claimed_one_id_the_kept_one_gets_it(
    config: TelemetryConfig, tmp_path: Path
) -> None:
    """As it would have had it, had there never been another."""
    one, other = event(50, "run.event", "c", payload=1), event(50, "run.event", "c", payload=2)
    for name, found in ((OLD, one), (KEPT, other)):
        data = (config.ndjson_dir / name).read_bytes().replace(b'{"torn', b"")
        (config.ndjson_dir / name).write_bytes(data + lines_of([found]))
    prune_old(config)
    check(config, tmp_path)
    assert rows(config, "SELECT event_id FROM run_events WHERE run_id = 'c'") == [(other.id,)]


def test_lines_of_the_earlier_product_are_pruned_as_well(
    config: TelemetryConfig, tmp_path: Path
) -> None:
    """Identical ones in several files too."""
    line = legacy_line(
        record_type="event", run_id="l", event_type="e", timestamp="2026-01-01T00:00:00Z"
    )
    for name, count in ((OLD, 3), (KEPT, 2)):
        data = (config.ndjson_dir / name).read_bytes().replace(b'{"torn', b"")
        (config.ndjson_dir / name).write_bytes(data + line * count)
    prune_old(config)
    check(config, tmp_path)
    assert rows(config, "SELECT count(*) FROM run_events WHERE run_id = 'l'") == [(2,)]


@pytest.mark.parametrize("step", ["_delete", "unlink_synced"])
def test_a_kill_between_view_and_files_is_made_good(
    config: TelemetryConfig, tmp_path: Path, step: str
) -> None:
    """The files come back into the view, and pruning again finishes."""
    (config.ndjson_dir / "events_20260101.web-1.ndjson").write_bytes(lines_of([event(4)]))
    index_once(Base(config))
    before = rows(config, "SELECT count(*) FROM run_events")
    with mock.patch.object(prune_module, step, side_effect=SystemExit), pytest.raises(SystemExit):
        prune_old(config)
    assert rows(config, "SELECT count(*) FROM run_events") == before
    check(config, tmp_path)
    assert prune_old(config) == {}
    assert names(config) == [KEPT]
    check(config, tmp_path)


@pytest.mark.parametrize("own", [False, True])
def test_a_late_event_keeps_its_file(config: TelemetryConfig, tmp_path: Path, own: bool) -> None:
    """It came after the view was pruned: the file stays, and with it all that it tells."""
    name = "events_20260101.web-1.ndjson" if own else OLD
    (config.ndjson_dir / name).write_bytes(lines_of([event(4)]))
    real = prune_module._delete

    def late(files: object) -> object:
        if own:
            with (config.ndjson_dir / name).open("ab") as file:
                file.write(lines_of([event(5)]))
        else:
            SharedLog(config.ndjson_dir).append(lines_of([event(5)]), "20260101", 1.0, sync=False)
        return real(files)

    with mock.patch.object(prune_module, "_delete", late):
        left = prune_old(config)
    assert "written to" in left[name]
    assert rows(config, "SELECT count(*) FROM run_events WHERE event_id = ?", event(5).id) == [(1,)]
    index_once(Base(config))
    check(config, tmp_path)


def test_an_event_that_comes_last_of_all_to_an_own_log_is_kept(
    config: TelemetryConfig, tmp_path: Path
) -> None:
    """Between the last look at its file and the deleting: its writer finds the file moved."""
    own = config.ndjson_dir / f"events_20260101.web-{os.getpid()}.ndjson"
    own.write_bytes(lines_of([event(4)]))
    index_once(Base(config))
    files = plan_prune(Base(config), MONTH, NOW).files
    real = prune_module.unlink_synced

    def late(path: Path) -> None:
        if ".web-" in path.name:
            SpillFile(config.ndjson_dir, "web").append(lines_of([event(5)]), "20260101", sync=False)
        real(path)

    with mock.patch.object(prune_module, "unlink_synced", late):
        prune(Base(config), files)
    assert rows(config, "SELECT count(*) FROM run_events WHERE event_id = ?", event(5).id) == [(1,)]
    check(config, tmp_path)


@pytest.mark.needs("modes")
def test_only_what_is_indexed_to_its_end_goes(config: TelemetryConfig, tmp_path: Path) -> None:
    """A file that can't be read any further, or that is a link, is named and left."""
    broken = config.ndjson_dir / "events_20260102.ndjson.gz"
    packed = bytearray(gzip.compress(lines_of([event(n) for n in range(20, 900)])))
    packed[len(packed) // 2] ^= 0xFF
    broken.write_bytes(packed)
    (config.ndjson_dir / "events_20260103.ndjson").symlink_to(tmp_path / "elsewhere.ndjson")
    (tmp_path / "elsewhere.ndjson").write_bytes(lines_of([event(5)]))
    index_once(Base(config))
    plan = plan_prune(Base(config), MONTH, NOW)
    assert plan.files == [OLD]
    assert plan.skipped.keys() == {broken.name, "events_20260103.ndjson"}
    with (config.ndjson_dir / OLD).open("ab") as file:
        file.write(b"\n" + lines_of([event(6)]))
    assert plan_prune(Base(config), MONTH, NOW).files == [], "a pass has to come first"


def test_it_works_beside_a_daemon(config: TelemetryConfig, tmp_path: Path) -> None:
    """The daemon stands aside, and goes on with what is left."""
    with running_daemon(config.metrics_dir):
        eventually(config.database_path.exists)
        eventually(lambda: not verify(Base(config)).differences)
        assert prune(Base(config), plan_prune(Base(config), MONTH, NOW).files) == {}
        with (config.ndjson_dir / KEPT).open("ab") as file:
            file.write(lines_of([event(20, "run.ended", "b")]))
        eventually(
            lambda: (
                ("b", "success")
                in [row[:1] + row[7:8] for row in tables(config.database_path)["agent_runs"]]
            )
        )
    check(config, tmp_path)


def test_one_keeper_at_a_time(config: TelemetryConfig) -> None:
    """A second one learns who is at it."""
    with Base(config).segments_lease("archive"), pytest.raises(AlreadyRunning, match="archive"):
        prune_old(config)
    assert names(config) == [OLD, KEPT]


@pytest.mark.parametrize("after", range(0, 12, 2))
def test_kill_9_at_any_moment_is_made_good(
    config: TelemetryConfig, tmp_path: Path, after: int
) -> None:
    """Whatever was done by then: the log says what the view says, and pruning again finishes."""
    for day in range(2, 10):
        name = f"events_202601{day:02d}.ndjson"
        (config.ndjson_dir / name).write_bytes(lines_of([event(100 + day, run_id=f"r{day}")]))
    index_once(Base(config))
    subprocess.run(
        [sys.executable, "-c", _KILLED, str(config.metrics_dir), str(after)],
        env=environment(),
        check=False,
    )
    index_once(Base(config))
    check(config, tmp_path)
    assert prune_old(config) == {}
    assert names(config) == [KEPT]
    check(config, tmp_path)


_KILLED = """
import os, signal, sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from indexer.retention import prune
prune._modified = lambda _: 0.0
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
config = TelemetryConfig.for_base(Path(sys.argv[1]))
left = iter(range(int(sys.argv[2])))
def dying(function):
    def call(*arguments, **named):
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return call
for name in ("check_unchanged", "unlink_synced", "retire_spill_file", "refold_runs"):
    setattr(prune, name, dying(getattr(prune, name)))
plan = prune.plan_prune(Base(config), timedelta(days=30), datetime(2026, 3, 1, tzinfo=timezone.utc))
left = iter(range(int(sys.argv[2])))
prune.prune(Base(config), plan.files)
"""


# The command.


@pytest.fixture
def cli(config: TelemetryConfig, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line on the base."""
    return Cli(config.metrics_dir, capsys)


def test_without_a_terminal_it_wants_a_yes(
    config: TelemetryConfig, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can be asked: it says what would go, deletes nothing and exits 2."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    ran = cli("prune", "--older-than", "1d")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert OLD in ran.out
    assert names(config) == [OLD, KEPT]


def test_a_dry_run_deletes_nothing(config: TelemetryConfig, cli: Cli) -> None:
    """It says what would go, to people and to scripts."""
    ran = cli("prune", "--older-than", "1d", "--dry-run", "--json")
    assert ran.code == 0
    assert ran.json["files"] == [OLD, KEPT]
    assert (ran.json["dry_run"], ran.json["runs_running"]) == (True, ["b", "on"])
    assert "still running" in cli("prune", "--older-than", "1d", "--dry-run").out
    assert names(config) == [OLD, KEPT]


def test_yes_deletes(config: TelemetryConfig, cli: Cli) -> None:
    """And says what went; where there is nothing left it says so."""
    ran = cli("prune", "--older-than", "1d", "--yes", "--json")
    assert (ran.code, ran.json["dry_run"], ran.json["left"]) == (0, False, {})
    assert names(config) == []
    assert cli("prune", "--older-than", "1d", "--yes").code == 0


@pytest.mark.needs("terminal")
@pytest.mark.parametrize(("answer", "left"), [("n\n", [OLD, KEPT]), ("y\n", [])])
def test_at_a_terminal_it_asks(config: TelemetryConfig, answer: str, left: list[str]) -> None:
    """No is no."""
    for name in (OLD, KEPT):
        os.utime(config.ndjson_dir / name, (0, 0))
    shown = at_terminal(
        config.metrics_dir, "prune", "--older-than", "1d", columns=100, typed=answer
    )
    assert "Permanently delete" in shown
    assert names(config) == left


@pytest.mark.parametrize("wrong", ["30", "soon", "-1d", ""])
def test_a_wrong_length_of_time_is_a_usage_error(cli: Cli, wrong: str) -> None:
    """Nothing is guessed where something is deleted."""
    ran = cli("prune", "--older-than", wrong, "--yes")
    assert ran.code == 2
    assert "length of time" in ran.err


def test_a_segment_that_is_written_to_is_not_old_whatever_its_name(
    config: TelemetryConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host whose clock said 1970 names it so, while its run is running."""
    monkeypatch.undo()
    now = datetime.now(timezone.utc)
    path = config.ndjson_dir / "events_19700101.ndjson"
    path.write_bytes(encode(event(0, "run.started", "alive")))
    index_once(Base(config))
    assert path.name not in plan_prune(Base(config), MONTH, now).files
    os.utime(path, (0, 0))
    index_once(Base(config))
    assert path.name in plan_prune(Base(config), MONTH, now).files


def test_a_segment_with_a_recent_event_is_not_old(
    config: TelemetryConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Age is that of the newest thing in it."""
    monkeypatch.undo()
    now = datetime.now(timezone.utc)
    recent = event(0, "run.started", "r")._replace(time=format_time(now))
    path = config.ndjson_dir / "events_19700101.ndjson"
    path.write_bytes(encode(recent))
    os.utime(path, (0, 0))
    index_once(Base(config))
    assert path.name not in plan_prune(Base(config), MONTH, now).files
