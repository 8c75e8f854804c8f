"""The period of a report, and the parts of the calendar that it is divided into.

The parts follow the local calendar, because that is how people count days; the bounds of the
period are UTC.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple

from telemetry_core.timestamp import format_time, parse_time

_KEY_LENGTHS = {"hour": 13, "day": 10, "month": 7, "year": 4}
_LONGEST = {"hour": timedelta(hours=49), "day": timedelta(days=93), "month": timedelta(days=1900)}


class Period(NamedTuple):
    """A span of time."""

    since: str
    until: str
    """The first moment after it; like `since` in the canonical spelling."""

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return parse_time(self.until) - parse_time(self.since)

    @property
    def unit(self) -> str:
        """The part of the calendar that gives a readable number of bars."""
        return next((unit for unit, most in _LONGEST.items() if self.length <= most), "year")

    @property
    def key_length(self) -> int:
        """How much of a local time `YYYY-MM-DD HH` identifies a part."""
        return _KEY_LENGTHS[self.unit]

    def before(self) -> Period:
        """Return the period of the same length that ends where this one begins."""
        try:
            return Period(format_time(parse_time(self.since) - self.length), self.since)
        except OverflowError:
            return Period(self.since, self.since)

    def in_words(self, moment: str) -> str:
        """Return a moment in the local zone, without the year if that is the period's."""
        words, year = moment_in_words(moment), f", {_local(self.until).year:04}, "
        return words.replace(year, ", ")

    def parts(self) -> list[str]:
        """Return the key of each part, including those in which nothing happened."""
        first, last = _local(self.since), _local(self.until) - timedelta(microseconds=1)
        if self.unit == "hour":
            return _hours(parse_time(self.since), parse_time(self.until))
        if self.unit == "day":
            days = (last.date() - first.date()).days + 1
            return [str(first.date() + timedelta(number)) for number in range(days)]
        if self.unit == "month":
            months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
            return [f"{month // 12:04}-{month % 12 + 1:02}" for month in months]
        return [f"{year:04}" for year in range(first.year, last.year + 1)]


def key_in_words(key: str, short: bool = False) -> str:
    """Return a part's name for people: `Sun, Nov 22`, in short `Nov 22`."""
    if len(key) == _KEY_LENGTHS["hour"]:
        return f"{key[11:]}:00" if short else f"{key_in_words(key[:10])}, {key[11:]}:00"
    if len(key) == _KEY_LENGTHS["day"]:
        day = date.fromisoformat(key)
        return f"{day:%b} {day.day}" if short else f"{day:%a}, {day:%b} {day.day}"
    if len(key) == _KEY_LENGTHS["month"]:
        month = date.fromisoformat(f"{key}-01")
        return f"{month:%b}" if short and month.month > 1 else f"{month:%b} {key[:4]}"
    return key


def zone_in_words(moment: str) -> str:
    """Return the local zone as it is at a moment: `CET, UTC+01:00`."""
    local = _local(moment)
    offset = local.strftime("%z")
    utc = f"UTC{offset[:3]}:{offset[3:5]}" if offset.strip("+-0") else "UTC"
    name = local.tzname() or utc
    # Some zones have no name but their distance.
    return utc if name == utc or name[0] in "+-" else f"{name}, {utc}"


def day_in_words(moment: str) -> str:
    """Return the local day of a moment: `Nov 22, 2026`."""
    local = _local(moment)
    return f"{local:%b} {local.day}, {local.year:04}"


def moment_in_words(moment: str) -> str:
    """Return a moment in the local zone, to the minute."""
    return f"{day_in_words(moment)}, {_local(moment):%H:%M}"


def _hours(first: datetime, end: datetime) -> list[str]:
    moment = first.replace(minute=0, second=0, microsecond=0)
    # Two hours of one name, where clocks are set back, are one part.
    keys: dict[str, None] = {}
    while moment < end:
        keys[moment.astimezone().strftime("%Y-%m-%d %H")] = None
        moment += timedelta(hours=1)
    return list(keys)


def _local(moment: str) -> datetime:
    try:
        return parse_time(moment).astimezone()
    except (OverflowError, OSError):
        # Outside of the range of the system's calendar.
        return parse_time(moment)
