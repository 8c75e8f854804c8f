"""RFC 3339 text in one canonical spelling, so that text order is time order.

Called by the codec and the fold. Pure: it never asks what time it is.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache

_LOOSE = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:[.,](\d+))?"
    r"\s*(?:([Zz])|([+-])(\d{2}):?(\d{2}))?",
    re.ASCII,
)
# `fromisoformat` alone would not do: from 3.11 on it takes week dates and offsets too.
_CANONICAL = re.compile(r"(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def canonical_time(text: str) -> str:
    """Return `text` as `YYYY-MM-DDTHH:MM:SS.ffffffZ`.

    Takes any RFC 3339 time; one without an offset is read as UTC, digits beyond the
    microsecond are cut. Raises ValueError for anything else.
    """
    return text if is_canonical(text) else format_time(parse_time(text))


def is_canonical(text: str) -> bool:
    """Whether a text is a time in the canonical spelling."""
    match = _CANONICAL.fullmatch(text)
    return match is not None and _is_day(match[1])


@lru_cache(maxsize=64)
def _is_day(text: str) -> bool:
    """Whether the calendar has the day; asked for every event, of the same few days."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time as an aware datetime in UTC. Raises ValueError."""
    match = _LOOSE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not an RFC 3339 time: {text[:64]!r}")
    day, clock, fraction, _, sign, hours, minutes = match.groups()
    # A leap second has no datetime: it is the first second of the next minute.
    is_leap = clock.endswith(":60")
    clock = f"{clock[:-2]}59" if is_leap else clock
    local = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}")
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        local += timedelta(seconds=is_leap)
        local = local + offset if sign == "-" else local - offset
    except OverflowError as error:
        raise ValueError(f"time out of range: {text[:64]!r}") from error
    return local.replace(tzinfo=timezone.utc)


def moment_of(seconds: float) -> datetime:
    """Return the moment so many seconds after 1970, in UTC. Raises OverflowError or ValueError.

    `datetime.fromtimestamp` refuses what lies before 1970 or after 3000 on Windows.
    """
    return _EPOCH + timedelta(seconds=seconds)


def format_time(moment: datetime) -> str:
    """Write an aware datetime the canonical way."""
    utc = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds") + "Z"


def milliseconds_between(start: str, end: str) -> int:
    """Whole milliseconds from `start` to `end`. Raises ValueError if either is no time."""
    return (parse_time(end) - parse_time(start)) // timedelta(milliseconds=1)
