"""Backup and restore: a sound copy while all goes on, put back without losing what is there."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest

from indexer.database.freshness import index_once
from indexer.database.verify import verify
from indexer.errors import AlreadyRunning, BackupUnusable, DatabaseDamaged
from indexer.retention import backup as backup_module
from indexer.retention.backup import backup
from indexer.retention.restore import PUT_BACK, PUT_NEXT, THERE_ALREADY, inspect, restore
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from tests.support.cli import Cli
from tests.support.daemon import eventually, running_daemon
from tests.support.database import event, indexed_from_scratch, lines_of, rows, tables
from tests.support.process import ROOT, environment, start

DAY = "events_20260101.ndjson"
PACKED = "events_20260102.ndjson.gz"


@pytest.fixture
def config(base: Path) -> TelemetryConfig:
    """A base with a plain and a compressed day, indexed."""
    config = TelemetryConfig.for_base(base)
    config.ndjson_dir.mkdir(parents=True)
    first = [event(n, "run.started", f"r{n}") for n in range(20)]
    (config.ndjson_dir / DAY).write_bytes(lines_of(first) + b"bad\n" + b'{"torn')
    (config.ndjson_dir / PACKED).write_bytes(gzip.compress(lines_of([event(30), event(31)])))
    index_once(Base(config))
    return config


@pytest.fixture
def elsewhere(tmp_path: Path) -> TelemetryConfig:
    """A base that is not there yet."""
    return TelemetryConfig.for_base(tmp_path / "elsewhere")


def without_files(config: TelemetryConfig) -> object:
    """The view but for what names inodes and times."""
    found = tables(config.database_path)
    return {**found, "log_files": [row[:2] + row[6:] for row in found["log_files"]]}


def ids(config: TelemetryConfig) -> set[str]:
    return {row[0] for row in rows(config, "SELECT event_id FROM run_events")}


def log_bytes(config: TelemetryConfig) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in config.ndjson_dir.iterdir()
        if not path.name.startswith(".")
    }


def check(config: TelemetryConfig, tmp_path: Path) -> None:
    """The view is what the log says."""
    assert verify(Base(config)).differences == []
    scratch = tmp_path / "scratch.sqlite"
    assert tables(config.database_path) == indexed_from_scratch(config, scratch)
    scratch.unlink()


@pytest.mark.needs("modes")
def test_a_backup_is_a_sound_database_of_its_own(config: TelemetryConfig) -> None:
    """Private, complete, readable without any companion file."""
    done = backup(Base(config))
    assert done.path.parent == config.metrics_dir / "backups"
    assert stat.S_IMODE(done.path.stat().st_mode) == 0o600
    assert tables(done.path) == tables(config.database_path)
    assert os.listdir(done.path.parent) == [done.path.name]
    with closing(sqlite3.connect(f"file:{done.path}?mode=ro&immutable=1", uri=True)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_with_the_log_it_is_one_file_with_all_whole_lines(config: TelemetryConfig) -> None:
    """Anybody's tar unpacks it; what is being written is left out."""
    done = backup(Base(config), with_log=True)
    with tarfile.open(done.path) as tar:
        names = tar.getnames()
        held = {name: tar.extractfile(name).read() for name in names if name.startswith("raw/")}
    assert names == ["telemetry.sqlite", f"raw/{DAY}", f"raw/{PACKED}", "complete"]
    log = log_bytes(config)
    assert held == {f"raw/{DAY}": log[DAY][: -len(b'{"torn')], f"raw/{PACKED}": log[PACKED]}


@pytest.mark.parametrize("with_log", [False, True])
def test_only_the_newest_of_a_kind_are_kept(config: TelemetryConfig, with_log: bool) -> None:
    """And nothing else in the directory is touched."""
    directory = Base(config).backups
    other = backup(Base(config), with_log=not with_log).path
    strangers = {"telemetry-old.sqlite", "notes.txt", "replaced-20260101T000000.000000Z.sqlite"}
    for name in strangers:
        (directory / name).write_bytes(b"")
    made = [backup(Base(config), keep=2, with_log=with_log).path.name for _ in range(4)]
    assert {*os.listdir(directory)} == {other.name, *strangers, *made[-2:]}
    ahead = directory / f"telemetry-20990101T000000.000000Z{Path(made[0]).suffix}"
    ahead.write_bytes(b"")
    last = backup(Base(config), keep=1, with_log=with_log)
    assert last.path.exists(), "a clock that was set back must not cost the new one"
    assert ahead.name in last.removed


@pytest.mark.parametrize("with_log", [False, True])
def test_a_backup_that_fails_leaves_nothing_and_removes_nothing(
    config: TelemetryConfig, with_log: bool
) -> None:
    """Neither half a file nor one earlier backup less."""
    first = backup(Base(config), with_log=with_log)
    for name in ("check_database", "sync_path"):
        failing = mock.patch.object(backup_module, name, side_effect=OSError("no"))
        with failing, pytest.raises(OSError, match="no"):
            backup(Base(config), keep=1, with_log=with_log)
        left = os.listdir(first.path.parent)
        assert first.path.name in left
        assert not [one for one in left if one.startswith(".")]


def test_a_damaged_view_is_not_backed_up(config: TelemetryConfig) -> None:
    """Better the last sound one than a new one that is not."""
    with config.database_path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xa5" * 4096 * 8)
    with pytest.raises(DatabaseDamaged):
        backup(Base(config))
    assert os.listdir(Base(config).backups) == []


def test_a_log_file_out_of_reach_is_named(config: TelemetryConfig) -> None:
    """The rest is backed up."""
    real = open

    def unreadable(path: object, *arguments: object, **named: object) -> object:
        if str(path).endswith(PACKED):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **named)

    with mock.patch.object(backup_module, "open", unreadable, create=True):
        done = backup(Base(config), with_log=True)
    assert done.missed.keys() == {PACKED}


def test_backup_waits_for_whoever_is_at_the_log(config: TelemetryConfig) -> None:
    """A file that is being compressed would be missing under both of its names."""
    impatient = mock.patch.object(backup_module, "_PATIENCE", 0.05)
    archiving = Base(config).segments_lease("archive")
    with archiving, impatient, pytest.raises(AlreadyRunning, match="archive"):
        backup(Base(config))


_AGENT = """
import sys
from pathlib import Path
from telemetry_core import TelemetryClient, TelemetryConfig
client = TelemetryClient(TelemetryConfig.for_base(Path(sys.argv[1])))
while True:
    print(client.log_event("run", "e", {"x": "y" * 200}), flush=True)
"""


@pytest.mark.parametrize("with_log", [True, pytest.param(False, marks=pytest.mark.laboratory)])
def test_a_backup_under_full_load_restores_to_what_verify_accepts(
    config: TelemetryConfig, elsewhere: TelemetryConfig, tmp_path: Path, with_log: bool
) -> None:
    """Agents write and the daemon indexes: what was acknowledged before is in every backup."""
    agents = [start(_AGENT, str(config.metrics_dir)) for _ in range(2)]
    made = []
    try:
        with running_daemon(config.metrics_dir, poll_interval=0.05):
            for _ in range(3):
                reported = {agent.stdout.readline().strip() for agent in agents for _ in range(100)}
                index_seen = lambda reported=reported: reported <= _stored(config)  # noqa: E731
                eventually(index_seen)
                made.append((backup(Base(config), with_log=with_log).path, reported))
    finally:
        for agent in agents:
            agent.kill()
            agent.communicate()
    for path, reported in made:
        if not with_log:
            shutil.copytree(config.ndjson_dir, elsewhere.ndjson_dir)
        restored = restore(Base(elsewhere), path)
        assert restored.warning == ""
        assert reported <= ids(elsewhere)
        check(elsewhere, tmp_path)
        shutil.rmtree(elsewhere.metrics_dir)


def _stored(config: TelemetryConfig) -> set[str]:
    with closing(sqlite3.connect(f"file:{config.database_path}?mode=ro", uri=True)) as view:
        return {row[0] for row in view.execute("SELECT event_id FROM run_events")}


# Restoring.


def test_everything_comes_back_into_an_empty_base(
    config: TelemetryConfig, elsewhere: TelemetryConfig, tmp_path: Path
) -> None:
    """Session and log, and the directories with them."""
    path = backup(Base(config), with_log=True).path
    contents = inspect(Base(elsewhere), path)
    assert (contents.runs, contents.events, contents.is_of_this_version) == (20 + 1, 22, True)
    restored = restore(Base(elsewhere), path)
    assert restored.log_files == {DAY: PUT_BACK, PACKED: PUT_BACK}
    assert (restored.view, restored.kept_view, restored.warning) == (True, None, "")
    assert without_files(elsewhere) == without_files(config)
    check(elsewhere, tmp_path)


def test_what_came_since_is_kept_and_indexed(config: TelemetryConfig, tmp_path: Path) -> None:
    """The log has more than the backup: it stays, and the view catches up."""
    path = backup(Base(config), with_log=True).path
    with (config.ndjson_dir / DAY).open("ab") as file:
        file.write(b"\n" + lines_of([event(50)]))
    index_once(Base(config))
    before, log = ids(config), log_bytes(config)
    restored = restore(Base(config), path)
    assert set(restored.log_files.values()) == {THERE_ALREADY}
    assert (log_bytes(config), ids(config)) == (log, before)
    check(config, tmp_path)
    assert tables(Path(restored.kept_view or ""), ("run_events",)) == tables(
        config.database_path, ("run_events",)
    )


def test_missing_files_come_back_and_others_are_put_beside(
    config: TelemetryConfig, tmp_path: Path
) -> None:
    """Deleted, cut, exchanged: nothing that is there is overwritten, nothing of the backup lost."""
    path = backup(Base(config), with_log=True).path
    everything = ids(config)
    (config.ndjson_dir / PACKED).unlink()
    other = lines_of([event(60)])
    (config.ndjson_dir / DAY).write_bytes(other)
    restored = restore(Base(config), path)
    assert restored.log_files == {DAY: PUT_NEXT, PACKED: PUT_BACK}
    assert log_bytes(config)[DAY] == other
    assert ids(config) == everything | {event(60).id}
    check(config, tmp_path)
    again = restore(Base(config), path)
    assert set(again.log_files.values()) == {THERE_ALREADY}
    check(config, tmp_path)


@pytest.mark.needs("gzip")
def test_a_day_that_was_compressed_since_is_recognised(
    config: TelemetryConfig, tmp_path: Path
) -> None:
    """Its bytes are there, under another name."""
    path = backup(Base(config), with_log=True).path
    subprocess.run(["gzip", str(config.ndjson_dir / DAY)], check=True)
    assert set(restore(Base(config), path).log_files.values()) == {THERE_ALREADY}
    check(config, tmp_path)


def test_a_view_alone_goes_over_a_damaged_one(config: TelemetryConfig, tmp_path: Path) -> None:
    """What is replaced is kept, as it is."""
    path = backup(Base(config)).path
    config.database_path.write_bytes(b"rubbish" * 5000)
    restored = restore(Base(config), path)
    assert Path(restored.kept_view or "").read_bytes() == b"rubbish" * 5000
    check(config, tmp_path)


def test_nothing_is_restored_under_a_daemon(config: TelemetryConfig) -> None:
    """It learns who is in the way."""
    path = backup(Base(config), with_log=True).path
    with running_daemon(config.metrics_dir):
        lock = config.database_path.parent / "indexer.json"
        eventually(lock.exists)
        with pytest.raises(AlreadyRunning, match="daemon"):
            restore(Base(config), path)


def _rewritten(path: Path, change: object) -> Path:
    """A copy of a backup whose members were changed."""
    target = path.with_name("changed.tar")
    with tarfile.open(path) as tar, tarfile.open(target, "w") as out:
        for member in tar:
            data = tar.extractfile(member).read()
            for name, content in change(member.name, data):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                out.addfile(info, io.BytesIO(content))
    return target


Members = list[tuple[str, bytes]]


def _cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def _change(path: Path, change: Callable[[Members], Members]) -> None:
    """Write a backup again with other members."""
    with tarfile.open(path) as tar:
        members = [(member.name, tar.extractfile(member).read()) for member in tar]
    with tarfile.open(path, "w") as tar:
        for name, content in change(members):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def _damage_view(members: Members) -> Members:
    name, data = members[0]
    return [(name, data[:9000] + b"\xa5" * 30_000 + data[39_000:]), *members[1:]]


# A tar ends with as many zeros as its last record has room for, which nobody misses.
_PADDING = 10_240

_SPOILED: dict[str, Callable[[Path], object]] = {
    "cut in the log": lambda path: _cut(path, -(_PADDING + 1000)),
    "cut in the view": lambda path: _cut(path, 30_000),
    "cut between files": lambda path: _change(path, lambda members: members[:-1]),
    "rubbish": lambda path: path.write_bytes(b"no backup at all" * 100),
    "empty": lambda path: path.write_bytes(b""),
    "damaged view": lambda path: _change(path, _damage_view),
    "no view": lambda path: _change(path, lambda members: members[1:]),
    "way out": lambda path: _change(path, lambda m: [("raw/../evil.ndjson", b""), *m]),
    "absolute": lambda path: _change(path, lambda m: [("/evil.ndjson", b""), *m]),
    "hidden": lambda path: _change(path, lambda m: [("raw/.events.lock", b""), *m]),
    "two views": lambda path: _change(path, lambda m: [m[0], *m]),
    "a file twice": lambda path: _change(path, lambda m: [*m[:2], *m[1:]]),
}


@pytest.mark.parametrize("how", _SPOILED)
def test_what_is_no_backup_changes_nothing(config: TelemetryConfig, how: str) -> None:
    """Cut, rubbish, damaged or with members that no backup has: refused before anything is done."""
    path = backup(Base(config), with_log=True).path
    _SPOILED[how](path)
    (config.ndjson_dir / PACKED).unlink()
    log, view = log_bytes(config), tables(config.database_path)
    with pytest.raises(BackupUnusable):
        restore(Base(config), path)
    assert (log_bytes(config), tables(config.database_path)) == (log, view)
    assert os.listdir(Base(config).backups) == [path.name]


def test_a_view_of_another_version_is_made_anew_from_the_log(
    config: TelemetryConfig, elsewhere: TelemetryConfig, tmp_path: Path
) -> None:
    """The log is the truth: a backup with it can be restored by any later version."""
    with closing(sqlite3.connect(config.database_path)) as view:
        view.execute("PRAGMA user_version = 0")
        view.commit()
    alone, both = backup(Base(config)).path, backup(Base(config), with_log=True).path
    with pytest.raises(BackupUnusable, match="another version"):
        restore(Base(elsewhere), alone)
    restored = restore(Base(elsewhere), both)
    assert not restored.view
    check(elsewhere, tmp_path)


# The commands.


@pytest.fixture
def cli(config: TelemetryConfig, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line on the base."""
    return Cli(config.metrics_dir, capsys)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_no_backup_and_is_not_waited_for(config: TelemetryConfig, tmp_path: Path) -> None:
    """Nobody writes to it: opening it would last for ever."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BackupUnusable, match="not a regular file"):
        inspect(Base(config), tmp_path / "pipe")


def test_where_nothing_was_recorded_the_answer_has_the_same_keys(
    elsewhere: TelemetryConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    """`| jq -r .path` gets null, not nothing; and no base is made."""
    ran = Cli(elsewhere.metrics_dir, capsys)("backup", "--json")
    assert (ran.code, ran.json) == (0, {"path": None, "bytes": 0, "removed": [], "missed": {}})
    assert not elsewhere.metrics_dir.exists()


def test_the_commands_back_up_and_restore(
    config: TelemetryConfig, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the one's output to the other's argument, with and without --json."""
    ran = cli("backup", "--with-log", "--keep", "3", "--json")
    assert ran.code == 0
    assert ran.json.keys() == {"path", "bytes", "removed", "missed"}
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    asked = cli("restore", ran.json["path"])
    assert (asked.code, "21 runs, 22 events, 2 segments" in asked.out) == (2, True)
    done = cli("restore", ran.json["path"], "--yes", "--json")
    assert (done.code, done.json["log_files"]) == (0, {DAY: THERE_ALREADY, PACKED: THERE_ALREADY})
    assert cli("restore", ran.json["path"], "--yes").code == 0
    assert cli("restore", str(config.metrics_dir / "nothing"), "--yes").code == 2
    assert cli("restore", str(config.ndjson_dir / DAY), "--yes").code == 1
    assert cli("backup", "--keep", "0").code == 2


def test_the_script_by_the_earlier_name_backs_up(config: TelemetryConfig) -> None:
    """From a checkout, without an installation."""
    variables = environment(TELEMETRY_BASE_DIR=str(config.metrics_dir))
    variables.pop("PYTHONPATH")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "backup_telemetry_db.py"), "--keep", "1"],
        env=variables,
        text=True,
        capture_output=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    (name,) = os.listdir(Base(config).backups)
    assert name in done.stdout
