from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_core.timestamp import (
    canonical_time,
    format_time,
    milliseconds_between,
    parse_time,
)

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES)


@given(MOMENTS)
def test_every_moment_has_one_spelling(moment):
    """A time in any offset becomes the same canonical text, which stays as it is."""
    text = canonical_time(moment.isoformat())
    assert parse_time(text) == moment
    assert canonical_time(text) == text == format_time(moment)
    assert len(text) == 27


@given(MOMENTS, MOMENTS)
def test_text_order_is_time_order(one, other):
    """Sorting canonical texts sorts the moments."""
    assert (canonical_time(one.isoformat()) < canonical_time(other.isoformat())) == (one < other)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2026-11-22T12:34:56.789012Z", "2026-11-22T12:34:56.789012Z"),
        ("2026-11-22t12:34:56z", "2026-11-22T12:34:56.000000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
        ("2017-01-01T05:29:60.5+05:30", "2017-01-01T00:00:00.500000Z"),
        (" 2026-11-22 12:34:56,5 +0530 ", "2026-11-22T07:04:56.500000Z"),
        ("2026-11-22T12:34:56.7890129Z", "2026-11-22T12:34:56.789012Z"),
        ("2026-11-22T00:30:00-01:00", "2026-11-22T01:30:00.000000Z"),
        ("2026-11-22T12:34:56", "2026-11-22T12:34:56.000000Z"),
    ],
)
def test_other_spellings_are_read(text, canonical):
    """Lower case, a space, a comma, no offset, more digits: all of RFC 3339 and a little more."""
    assert canonical_time(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-22",
        "2026-02-30T00:00:00Z",
        "2026-11-22T25:00:00Z",
        "2026-11-22T24:00:00.000000Z",
        "2026-11-22T12:34:56.789012ZZ",
        # Of the length of a canonical time, and taken by fromisoformat from Python 3.11 on:
        "2026-11-22T12:34:56.78901ZZ",
        "2026-11-22T12:34:56.789+05Z",
        "2026-W47-7T12:34:56.789012Z",
        "٢٠٢٦-11-22T12:34:56.789012Z",
        "0000-01-01T00:00:00.000000Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_what_is_no_time_raises_value_error(text):
    """On every Python the same texts are refused, and by ValueError."""
    with pytest.raises(ValueError, match=r".+"):
        canonical_time(text)


def test_milliseconds_are_whole_and_signed():
    """The difference is cut to whole milliseconds; an end before its start is negative."""
    start = "2026-11-22T12:34:56.000000Z"
    assert milliseconds_between(start, "2026-11-22T12:34:57.2349Z") == 1234
    assert milliseconds_between("2026-11-22T12:34:57Z", start) == -1000
