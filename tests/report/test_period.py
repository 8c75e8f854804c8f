"""A period falls into parts of the local calendar, few enough to look at."""

from __future__ import annotations

import time

import pytest

from indexer.report.period import Period, key_in_words, moment_in_words, zone_in_words


@pytest.fixture
def zone(monkeypatch):
    """Sets the local zone."""
    if not hasattr(time, "tzset"):
        pytest.skip("the zone can't be set here")

    def set_zone(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


def _period(since, until):
    return Period(f"{since}:00:00.000000Z", f"{until}:00:00.000000Z")


@pytest.mark.parametrize(
    ("since", "until", "unit", "number"),
    [
        ("2026-11-21T12", "2026-11-22T12", "hour", 24),
        ("2026-11-15T12", "2026-11-22T12", "day", 8),
        ("2026-11-15T00", "2026-11-22T00", "day", 7),
        ("2026-09-01T00", "2026-11-22T00", "day", 82),
        ("2025-12-31T23", "2026-11-22T00", "month", 12),
        ("1990-06-01T00", "2026-11-22T00", "year", 37),
    ],
)
def test_parts_follow_the_length(since, until, unit, number, zone):
    """Hours of a day, days of weeks, months of years; the last moment is not in it."""
    zone("UTC0")
    period = _period(since, until)
    assert period.unit == unit
    parts = period.parts()
    assert len(parts) == len(set(parts)) == number
    assert parts == sorted(parts)
    assert all(len(part) == period.key_length for part in parts)


def test_days_are_local(zone):
    """The evening of one day in Greenwich is the next in Kolkata."""
    zone("IST-5:30")
    assert _period("2026-11-15T20", "2026-11-18T10").parts() == [
        "2026-11-16",
        "2026-11-17",
        "2026-11-18",
    ]
    assert moment_in_words("2026-11-15T20:00:00Z") == "Nov 16, 2026, 01:30"
    assert zone_in_words("2026-11-15T20:00:00Z") == "IST, UTC+05:30"


def test_an_hour_that_comes_twice_is_one_part(zone):
    """Where clocks are set back."""
    zone("CET-1CEST,M3.5.0,M10.5.0/3")
    parts = _period("2026-10-24T23", "2026-10-25T04").parts()
    assert parts == [f"2026-10-25 {hour:02}" for hour in range(1, 5)]


def test_the_period_before_ends_where_this_one_begins():
    """And has the same length; there is none before the beginning of time."""
    period = _period("2026-11-15T00", "2026-11-22T00")
    assert period.before() == _period("2026-11-08T00", "2026-11-15T00")
    first = _period("0001-01-02T00", "2026-11-22T00")
    assert first.before().length.total_seconds() == 0


@pytest.mark.parametrize(
    ("key", "words", "short"),
    [
        ("2026-11-22 09", "Sun, Nov 22, 09:00", "09:00"),
        ("2026-11-22", "Sun, Nov 22", "Nov 22"),
        ("2026-11", "Nov 2026", "Nov"),
        ("2026-01", "Jan 2026", "Jan 2026"),
        ("2026", "2026", "2026"),
    ],
)
def test_parts_have_names_for_people(key, words, short):
    """At length, and as short as a label."""
    assert (key_in_words(key), key_in_words(key, short=True)) == (words, short)


def test_the_zone_is_named_once(zone):
    """UTC is not said twice."""
    zone("UTC0")
    assert zone_in_words("2026-11-15T20:00:00Z") == "UTC"
    zone("<-03>3")
    assert zone_in_words("2026-11-15T20:00:00Z") == "UTC-03:00"
