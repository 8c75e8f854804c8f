"""Past days compressed, and not an event lost, whatever writes or dies meanwhile."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest import mock

import pytest
import zstandard

from indexer.database import verify as verify_module
from indexer.database.freshness import index_once
from indexer.database.verify import verify
from indexer.errors import AlreadyRunning
from indexer.log.reader import read_head
from indexer.retention import archive as archive_module
from indexer.retention import compression as packing
from indexer.retention.archive import archive, files_to_archive
from indexer.store import cursors
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from telemetry_core.lock import LOCK_NAME, SidecarLock
from telemetry_core.shared_log import SharedLog
from tests.support.database import event, indexed_from_scratch, lines_of, rows, tables
from tests.support.process import environment

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
DAY = "20260101"
SHARED = f"events_{DAY}.ndjson"
OWN = f"events_{DAY}.web-1.example-42.ndjson"
MONTH = timedelta(days=30)


@pytest.fixture
def config(base: Path) -> TelemetryConfig:
    """A base with a log of one past day, indexed."""
    config = TelemetryConfig.for_base(base)
    config.ndjson_dir.mkdir(parents=True)
    (config.ndjson_dir / SHARED).write_bytes(lines_of([event(n) for n in range(50)]) + b"bad\n")
    index_once(Base(config))
    return config


def names(config: TelemetryConfig) -> list[str]:
    return sorted(name for name in os.listdir(config.ndjson_dir) if not name.startswith("."))


def ids(config: TelemetryConfig) -> list[str]:
    return [row[0] for row in rows(config, "SELECT event_id FROM run_events ORDER BY event_id")]


def check(config: TelemetryConfig, number: int, tmp_path: Path) -> None:
    """All events are there, and the view is what the log says, table for table."""
    assert ids(config) == [f"id-{n:08d}" for n in range(number)]
    assert verify(Base(config)).differences == []
    scratch = tmp_path / "scratch.sqlite"
    assert tables(config.database_path) == indexed_from_scratch(config, scratch)
    scratch.unlink()


@pytest.mark.parametrize("suffix", [packing.GZIP, packing.ZSTD])
def test_a_past_day_is_compressed_and_its_rows_go_along(
    config: TelemetryConfig, tmp_path: Path, suffix: str
) -> None:
    """Bytes, view and counts are the same; nothing was read again."""
    plain = (config.ndjson_dir / SHARED).read_bytes()
    result = archive(Base(config), MONTH, suffix, NOW)
    assert result.skipped == {}
    assert [(one.file, one.archive) for one in result.archived] == [(SHARED, SHARED + suffix)]
    assert names(config) == [SHARED + suffix]
    packed = (config.ndjson_dir / (SHARED + suffix)).read_bytes()
    unpack = gzip.decompress if suffix == packing.GZIP else _unpack_zstd
    assert unpack(packed) == plain
    assert index_once(Base(config)).read_bytes == 0
    check(config, 50, tmp_path)


def _unpack_zstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


@pytest.mark.needs("gzip")
def test_a_file_compressed_by_hand_takes_its_rows_along_too(
    config: TelemetryConfig, tmp_path: Path
) -> None:
    """Whatever compresses it: the cursor follows, and nothing is read again."""
    subprocess.run(["gzip", str(config.ndjson_dir / SHARED)], check=True)
    assert index_once(Base(config)).read_bytes == 0
    check(config, 50, tmp_path)


@pytest.mark.parametrize("copy", ["a.ndjson", "z.ndjson", f"{SHARED}.a.ndjson"])
def test_rows_of_a_file_that_is_repeated_elsewhere_go_along_or_are_read_again(
    config: TelemetryConfig, tmp_path: Path, copy: str
) -> None:
    """Which of two files has an event depends on their names; after a move it does so still."""
    plain = (config.ndjson_dir / SHARED).read_bytes()
    (config.ndjson_dir / copy).write_bytes(plain)
    index_once(Base(config))
    archive(Base(config), MONTH, packing.GZIP, NOW)
    read = index_once(Base(config)).read_bytes
    # Only what comes between the names changes places with the file.
    assert (read > 0) == (copy == f"{SHARED}.a.ndjson")
    check(config, 50, tmp_path)


def test_a_file_compressed_after_its_lines_were_exchanged_is_read_again(
    config: TelemetryConfig, tmp_path: Path
) -> None:
    """It begins as the cursor knows it, and does not end so: the cursor does not follow."""
    path = config.ndjson_dir / SHARED
    lines = path.read_bytes().splitlines(keepends=True)
    path.unlink()
    others = lines[:20] + lines[:10:-1]
    path.with_name(SHARED + ".gz").write_bytes(gzip.compress(b"".join(others)))
    index_once(Base(config))
    expected = indexed_from_scratch(config, tmp_path / "scratch.sqlite")
    found = tables(config.database_path)
    for name in ("log_files", "quarantine"):
        assert found[name] == expected[name]


def test_only_days_that_are_over_for_so_long_are_touched(config: TelemetryConfig) -> None:
    """To the second, in UTC; today never is, nor a file whose name tells no day."""
    for name in (
        "a.ndjson",
        "events_20260228.ndjson",
        "events_20260301.ndjson",
        "events_20261399.ndjson",
        "events_20260102.ndjson.gz",
        OWN,
    ):
        (config.ndjson_dir / name).write_bytes(b"")

    def due(age: timedelta, now: datetime) -> list[str]:
        return [file.name for file in files_to_archive(Base(config), age, now)]

    assert due(MONTH, NOW) == sorted([SHARED, OWN])
    assert "events_20260228.ndjson" in due(timedelta(0), NOW)
    assert "events_20260228.ndjson" not in due(timedelta(0), NOW - timedelta(seconds=1))
    assert "events_20260301.ndjson" not in due(timedelta(days=-9), NOW)
    assert due(timedelta(days=10**8), NOW) == []


@pytest.mark.needs("open-moves")
def test_a_late_event_finds_its_way_and_is_archived_next_time(
    config: TelemetryConfig, tmp_path: Path
) -> None:
    """A writer that has the file open notices and creates it again; that is archived by itself."""
    writer = SharedLog(config.ndjson_dir)
    writer.append(lines_of([event(50)]), DAY, 1.0, sync=False)
    archive(Base(config), MONTH, packing.GZIP, NOW)
    writer.append(lines_of([event(51)]), DAY, 1.0, sync=False)
    assert names(config) == [SHARED, f"{SHARED}.gz"]
    check(config, 52, tmp_path)
    archive(Base(config), MONTH, packing.GZIP, NOW)
    assert names(config) == [f"events_{DAY}.1.ndjson.gz", f"{SHARED}.gz"]
    check(config, 52, tmp_path)
    writer.append(lines_of([event(52)]), DAY, 1.0, sync=True)
    archive(Base(config), MONTH, packing.ZSTD, NOW)
    assert f"events_{DAY}.2.ndjson.zst" in names(config)
    check(config, 53, tmp_path)
    writer.forget()


def test_what_a_killed_archiver_left_is_finished(config: TelemetryConfig, tmp_path: Path) -> None:
    """The archive is in place and the plain file too: that is found out by content, and deleted."""
    plain = config.ndjson_dir / SHARED
    (config.ndjson_dir / f"{SHARED}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    (config.ndjson_dir / f".tmp-{SHARED}.gz").write_bytes(b"half")
    index_once(Base(config))
    archive(Base(config), MONTH, packing.ZSTD, NOW)
    assert names(config) == [f"{SHARED}.gz"]
    assert not (config.ndjson_dir / f".tmp-{SHARED}.gz").exists()
    check(config, 50, tmp_path)


def test_what_was_appended_after_an_archiver_was_killed_is_kept(
    config: TelemetryConfig, tmp_path: Path
) -> None:
    """The plain file has all that the archive has, and more: the new archive takes its place."""
    plain = config.ndjson_dir / SHARED
    (config.ndjson_dir / f"{SHARED}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    with plain.open("ab") as file:
        file.write(lines_of([event(50)]))
    index_once(Base(config))
    archive(Base(config), MONTH, packing.ZSTD, NOW)
    assert names(config) == [f"{SHARED}.gz"]
    check(config, 51, tmp_path)


def test_an_archive_that_is_broken_proves_nothing(config: TelemetryConfig, tmp_path: Path) -> None:
    """A cut or garbled archive next to the plain file costs no line of it."""
    packed = gzip.compress((config.ndjson_dir / SHARED).read_bytes())
    for name, data in ((f"{SHARED}.gz", packed[:-9]), (f"{SHARED}.zst", b"no zstd")):
        (config.ndjson_dir / name).write_bytes(data)
    archive(Base(config), MONTH, packing.GZIP, NOW)
    assert f"events_{DAY}.1.ndjson.gz" in names(config)
    assert SHARED not in names(config)
    assert ids(config) == [f"id-{n:08d}" for n in range(50)]


def test_an_empty_file_and_a_torn_line_are_archived_as_they_are(
    config: TelemetryConfig, tmp_path: Path
) -> None:
    """Not a byte is added or dropped."""
    for number, data in enumerate((b"", lines_of([event(50)]) + b'{"torn')):
        (config.ndjson_dir / f"events_2026010{number + 2}.ndjson").write_bytes(data)
    for suffix in (packing.GZIP, packing.ZSTD):
        assert archive(Base(config), MONTH, suffix, NOW, at_most=2).skipped == {}
    assert [name for name in names(config) if name.endswith(".ndjson")] == []
    check(config, 51, tmp_path)


@pytest.mark.parametrize(
    "how", ["link", pytest.param("symlink", marks=pytest.mark.needs("symlinks"))]
)
def test_a_file_with_another_name_is_left_alone(
    config: TelemetryConfig, tmp_path: Path, how: str
) -> None:
    """A writer could go on writing to it and never know."""
    path, other = config.ndjson_dir / SHARED, tmp_path / "elsewhere"
    if how == "link":
        os.link(path, other)
    else:
        path.rename(other)
        path.symlink_to(other)
    result = archive(Base(config), MONTH, packing.GZIP, NOW)
    assert result.archived == []
    assert "link" in result.skipped[SHARED]
    assert names(config) == [SHARED]


def test_a_writer_that_is_stopped_with_the_lock_is_not_waited_for_long(
    config: TelemetryConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is left as it is and named, and no temporary stays behind."""
    monkeypatch.setattr("indexer.retention.removal._PATIENCE", 0.05)
    holder = SidecarLock(config.ndjson_dir / LOCK_NAME)
    holder.acquire(1.0)
    result = archive(Base(config), MONTH, packing.GZIP, NOW)
    holder.forget()
    assert "was held" in result.skipped[SHARED]
    assert names(config) == [SHARED]
    assert not [name for name in os.listdir(config.ndjson_dir) if name.startswith(".tmp")]


def test_one_keeper_at_a_time(config: TelemetryConfig) -> None:
    """A second one learns who is at it."""
    with Base(config).segments_lease("backup"), pytest.raises(AlreadyRunning, match="backup"):
        archive(Base(config), MONTH, packing.GZIP, NOW)


@pytest.mark.parametrize("late", [1, 3000])
def test_lines_that_come_while_it_is_compressed_are_in_the_archive(
    config: TelemetryConfig, tmp_path: Path, late: int
) -> None:
    """At every step: after the first reading, after the last, and just before the lock."""
    path = config.ndjson_dir / SHARED
    number = 50

    def append() -> None:
        nonlocal number
        with path.open("ab") as file:
            file.write(lines_of([event(n) for n in range(number, number + late)]))
        number += late

    def late_then(function: object) -> object:
        def call(*arguments: object, **named: object) -> object:
            result = function(*arguments, **named)
            append()
            return result

        return call

    # The last append comes while nobody holds the lock; after that, writers wait.
    steps = {
        "length_of_beginning": archive_module.length_of_beginning,
        "compress": archive_module.compress,
    }
    left = iter(range(5))

    def sometimes(name: str) -> object:
        slow = late_then(steps[name])
        return lambda *a, **k: (slow if next(left, None) is not None else steps[name])(*a, **k)

    with mock.patch.multiple(archive_module, **{name: sometimes(name) for name in steps}):
        result = archive(Base(config), MONTH, packing.GZIP, NOW)
    assert result.skipped == {}, "it never came to rest"
    assert names(config) == [f"{SHARED}.gz"]
    assert number > 50
    check(config, number, tmp_path)


def test_a_file_that_does_not_come_to_rest_is_left_alone(
    config: TelemetryConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More came than writers can be kept waiting for: nothing is deleted, nothing left behind."""
    monkeypatch.setattr(archive_module, "_MOST_UNDER_LOCK", 0)
    writer = SharedLog(config.ndjson_dir)
    archive_and_call_after(
        config,
        SHARED,
        "length_of_beginning",
        1,
        lambda: writer.append(lines_of([event(50)]), DAY, 1.0, sync=False),
    )
    writer.forget()
    assert names(config) == [SHARED]
    check(config, 51, tmp_path)


# The own logs, which have no lock.

_STOPPED = """
import os, signal, sys
from pathlib import Path
from telemetry_core import append_file, spill_file
from telemetry_core.spill_file import SpillFile
where, raw, line = sys.argv[1], Path(sys.argv[2]), sys.argv[3].encode() + b"\\n"
real_write, real_open = os.write, os.open
real_close = append_file.AppendFile.close
def stop():
    os.write = real_write; os.open = real_open; append_file.AppendFile.close = real_close
    os.kill(os.getpid(), signal.SIGSTOP)
def stopping_before(call):
    return lambda *a, **k: (stop(), call(*a, **k))[1]
def stopping_after(call):
    def after(*a, **k):
        result = call(*a, **k)
        stop()
        return result
    return after
if where == "before open": os.open = stopping_before(real_open)
if where == "after open": os.open = stopping_after(real_open)
if where == "before write": os.write = stopping_before(real_write)
if where == "after write": os.write = stopping_after(real_write)
if where == "before close": append_file.AppendFile.close = stopping_before(real_close)
os.getpid_real = os.getpid
pid = os.getpid()
SpillFile(raw, "web").append(line, "20260101", sync=False)
os.write(1, b"acknowledged")
"""

# The steps of archiving one own file.
_STEPS = (
    ("retire_spill_file", 1),
    ("compress", 1),
    ("length_of_beginning", 1),
    ("check_unchanged", 2),
    ("unlink_synced", 1),
    ("_archive", 1),
    ("never", 1),
)


@pytest.mark.needs("signals")
@pytest.mark.parametrize(
    "where", ["before open", "after open", "before write", "after write", "before close"]
)
@pytest.mark.parametrize(("step", "time"), _STEPS)
def test_a_writer_stopped_anywhere_in_an_own_log_loses_nothing(
    config: TelemetryConfig, tmp_path: Path, where: str, step: str, time: int
) -> None:
    """It stops there, goes on after a step of the archiving, and its event is in the view."""
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _STOPPED,
            where,
            str(config.ndjson_dir),
            lines_of([event(51)]).decode().rstrip(),
        ],
        env=environment(),
        stdout=subprocess.PIPE,
    )
    try:
        # Its file is there before, so that there is something to archive.
        own = config.ndjson_dir / f"events_{DAY}.web-{writer.pid}.ndjson"
        with own.open("ab") as file:
            file.write(lines_of([event(50)]))
        _, status = os.waitpid(writer.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        archive_and_call_after(config, own.name, step, time, lambda: _go_on(writer))
        if writer.returncode is None:
            _go_on(writer)
        archive(Base(config), MONTH, packing.GZIP, NOW)
        assert not [name for name in names(config) if name.endswith(".ndjson")]
        check(config, 52, tmp_path)
    finally:
        with suppress(ProcessLookupError):
            writer.kill()
        if writer.stdout:
            writer.stdout.close()


def _go_on(writer: subprocess.Popen[bytes]) -> None:
    os.kill(writer.pid, signal.SIGCONT)
    assert writer.wait(timeout=60) == 0
    assert writer.stdout is not None
    assert writer.stdout.read() == b"acknowledged"


def archive_and_call_after(
    config: TelemetryConfig, name: str, step: str, time: int, function: Callable[[], None]
) -> None:
    """Archive one file, and call `function` once a step of that was done so many times."""
    real = getattr(archive_module, step, None)
    times = iter(range(1, 1000))

    def then_call(*arguments: object, **named: object) -> object:
        result = real(*arguments, **named)
        if next(times) == time:
            function()
        return result

    (file,) = [file for file in files_to_archive(Base(config), MONTH, NOW) if file.name == name]
    this_one = mock.patch.object(archive_module, "files_to_archive", return_value=[file])
    with this_one, mock.patch.object(archive_module, step, then_call, create=step == "never"):
        assert archive(Base(config), MONTH, packing.GZIP, NOW).skipped.keys() <= {name}


def test_an_own_log_is_archived_under_its_own_name(config: TelemetryConfig, tmp_path: Path) -> None:
    """Moved away first, so that its writer notices, and then like any other."""
    (config.ndjson_dir / OWN).write_bytes(b"\n" + lines_of([event(50)]))
    index_once(Base(config))
    result = archive(Base(config), MONTH, packing.GZIP, NOW)
    assert names(config) == sorted([f"{OWN}.gz", f"{SHARED}.gz"])
    assert {one.archive for one in result.archived} == {f"{OWN}.gz", f"{SHARED}.gz"}
    check(config, 51, tmp_path)


def test_a_file_that_was_moved_away_by_a_killed_archiver_is_archived(
    config: TelemetryConfig, tmp_path: Path
) -> None:
    """It is part of the log under that name, and the next archiving goes on from there."""
    moved = config.ndjson_dir / OWN.replace(".ndjson", ".1.ndjson")
    moved.write_bytes(b"\n" + lines_of([event(50)]))
    assert len(ids(config)) == 51
    archive(Base(config), MONTH, packing.GZIP, NOW)
    assert names(config) == sorted([f"{OWN}.gz", f"{SHARED}.gz"])
    check(config, 51, tmp_path)


def test_the_cursors_are_not_forgotten_for_it(config: TelemetryConfig) -> None:
    """Rows lose their places only where a file is really gone."""
    with mock.patch.object(cursors, "rename_segments", wraps=cursors.rename_segments) as moved:
        archive(Base(config), MONTH, packing.GZIP, NOW)
        index_once(Base(config))
    assert moved.call_count == 1


def test_rows_go_along_though_a_late_event_made_the_file_anew(
    config: TelemetryConfig, tmp_path: Path
) -> None:
    """No pass came between: the name is there still, and what it led to is elsewhere."""
    (config.ndjson_dir / OWN).write_bytes(b"\n" + lines_of([event(50)]))
    index_once(Base(config))
    archive(Base(config), MONTH, packing.GZIP, NOW)
    # Shorter than what was read: it may well get the number of the file that went.
    late = {SHARED: lines_of([event(51)]), OWN: lines_of([event(52)])}
    for name, data in late.items():
        (config.ndjson_dir / name).write_bytes(data)
    assert index_once(Base(config)).read_bytes == sum(map(len, late.values()))
    check(config, 53, tmp_path)


def test_a_verification_during_which_a_day_is_archived_looks_again(config: TelemetryConfig) -> None:
    """The file that it knows is gone, and another one is there: that is no difference."""
    real = verify_module.refresh_database
    archived = iter([lambda: archive(Base(config), MONTH, packing.GZIP, NOW)])

    def then_archived(base: Base) -> str:
        warning = real(base)
        next(archived, lambda: None)()
        return warning

    with mock.patch.object(verify_module, "refresh_database", then_archived):
        assert verify(Base(config)).differences == []
    assert names(config) == [f"{SHARED}.gz"]


def test_archiving_looks_at_the_directory_once_however_many_segments(base: Path) -> None:
    """Twice the segments cost twice the work: none is compared with every other."""
    config = TelemetryConfig.for_base(base)
    config.ndjson_dir.mkdir(parents=True)
    for number in range(30):
        path = config.ndjson_dir / f"events_{DAY}.web1-{number}.ndjson"
        path.write_bytes(lines_of([event(number, "run.started", f"r{number}")]))
    index_once(Base(config))
    with mock.patch.object(os, "listdir", side_effect=os.listdir) as looks:
        assert len(archive(Base(config), MONTH, packing.GZIP, NOW).archived) == 30
    assert looks.call_count <= 3
    with mock.patch("indexer.log.renames.read_head", side_effect=read_head) as heads:
        index_once(Base(config))
    assert heads.call_count <= 60
    assert rows(config, "SELECT count(*) FROM agent_runs") == [(30,)]
    assert verify(Base(config)).differences == []


def test_an_archive_is_as_old_as_what_it_contains(config: TelemetryConfig) -> None:
    """Pruning goes by the last change, too."""
    path = config.ndjson_dir / SHARED
    os.utime(path, (1_000_000_000, 1_000_000_000))
    archive(Base(config), MONTH, packing.GZIP, NOW)
    assert (config.ndjson_dir / f"{SHARED}.gz").stat().st_mtime == 1_000_000_000
