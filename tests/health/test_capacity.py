from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

import pytest

from indexer.health.capacity import capacity
from tests.support.disk import leave_free


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """A log's directory on a disk with 1 GB of room."""
    leave_free(monkeypatch, 1_000_000_000)
    return tmp_path


def write(raw, days_ago, size, suffix=".ndjson"):
    day = datetime.now(timezone.utc) - timedelta(days=days_ago)
    (raw / f"events_{day:%Y%m%d}{suffix}").write_bytes(b"x" * size)


def passed_today():
    now = datetime.now(timezone.utc)
    return (now - now.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(days=1)


def test_nothing_grows_where_there_is_no_log(tmp_path):
    """No directory either: the disk above it is asked for its room."""
    found = capacity(tmp_path / "not" / "there", 0)
    assert (found.log_bytes, found.bytes_per_day, found.days_left) == (0, 0.0, None)
    assert found.free_bytes > 0


def test_the_pace_is_the_mean_of_a_week(raw):
    """What is older counts for the size, and not for the pace."""
    for days_ago in range(10):
        write(raw, days_ago, 1000)
    found = capacity(raw, 0)
    assert found.log_bytes == 10_000
    assert found.bytes_per_day == pytest.approx(7_000 / (6 + passed_today()), rel=0.01)


def test_a_log_that_has_just_begun_is_given_a_day(raw):
    """Five minutes of a demo are not multiplied to a full disk."""
    write(raw, 0, 1000)
    assert capacity(raw, 0).bytes_per_day == 1000


def test_compressed_and_own_files_count_for_their_day(raw):
    """By what they take on disk."""
    write(raw, 0, 100, ".ndjson.gz")
    write(raw, 0, 10, ".host-1.ndjson")
    assert capacity(raw, 0).bytes_per_day == 110


@pytest.mark.parametrize("name", ["old.ndjson", "events_99999999.ndjson"])
def test_a_file_without_a_day_has_that_of_its_change(raw, name):
    """Now, for one that was just written."""
    (raw / name).write_bytes(b"x" * 50)
    assert capacity(raw, 0).bytes_per_day == 50


def test_files_of_the_future_say_nothing_of_the_pace(raw):
    """A clock that was ahead must not make days of negative length."""
    write(raw, -400, 1000)
    assert capacity(raw, 0).bytes_per_day == 0


def test_the_room_lasts_for_log_and_view(raw):
    """A view as large as the log halves the time; what lasts a week is enough."""
    write(raw, 0, 1_000)
    assert capacity(raw, 0).days_left == 1_000_000
    assert capacity(raw, 1_000).days_left == 500_000
    assert not capacity(raw, 0).is_low


def test_little_room_is_low_however_slowly_it_goes(raw, monkeypatch):
    """By bytes, and by days."""
    leave_free(monkeypatch, 499_000_000)
    assert capacity(raw, 0).is_low
    leave_free(monkeypatch, 600_000_000)
    assert not capacity(raw, 0).is_low
    with open(raw / f"events_{datetime.now(timezone.utc):%Y%m%d}.ndjson", "wb") as file:
        os.truncate(file.fileno(), 100_000_000)
    assert capacity(raw, 0).is_low
