"""What people type for a time is the moment they mean."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import click
import pytest

from indexer.terminal.time_options import check_order, moment
from telemetry_core.timestamp import parse_time


def _read(text):
    return moment(None, None, text)


@pytest.fixture
def in_berlin(monkeypatch):
    """A local zone that is not UTC."""
    if not hasattr(time, "tzset"):
        pytest.skip("the zone can't be set here")
    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22", "2026-11-21T23:00:00.000000Z"),
        ("2026-11-22T15:30", "2026-11-22T14:30:00.000000Z"),
        ("2026-11-22 15:30:01", "2026-11-22T14:30:01.000000Z"),
        ("2026-11-22T15:30:00Z", "2026-11-22T15:30:00.000000Z"),
        ("2026-11-22T15:30:00+05:30", "2026-11-22T10:00:00.000000Z"),
    ],
)
def test_a_time_without_a_zone_is_local_and_one_with_a_zone_is_not(in_berlin, text, expected):
    """What comes out is UTC either way."""
    assert _read(text) == expected


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30m", timedelta(minutes=30)),
        ("24h", timedelta(days=1)),
        ("7d", timedelta(days=7)),
        (" 2 W ", timedelta(weeks=2)),
        ("0.5h", timedelta(minutes=30)),
    ],
)
def test_a_length_of_time_is_before_now(text, length):
    """Also with a fraction, a blank, a capital."""
    moment_meant = parse_time(_read(text))
    assert abs(datetime.now(timezone.utc) - length - moment_meant) < timedelta(minutes=1)


@pytest.mark.parametrize("text", ["", "soon", "7", "d", "2026-13-01", "99999999999d", "-1h"])
def test_anything_else_is_refused(text):
    """With words that say what would do."""
    with pytest.raises(click.BadParameter, match="is not an age"):
        _read(text)


def test_a_period_has_to_begin_before_it_ends():
    """Equal ends make an empty period, which nobody means."""
    check_order("2026-01-01", "2026-01-02")
    check_order(None, "2026-01-02")
    with pytest.raises(click.UsageError, match="later than"):
        check_order("2026-01-02", "2026-01-02")
