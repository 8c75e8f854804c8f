"""Values as sources give them, made into ours: counts, amounts, texts and times.

Nothing here raises: what is not the wanted kind of value is None.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Optional

from telemetry_core.timestamp import canonical_time, format_time

MAX_COUNT = 2**53
"""Beyond it JSON readers in between may have rounded: no count is believed."""

MAX_ERROR_CHARACTERS = 1_000

_DIGITS = re.compile(r"[0-9]{1,16}", re.ASCII)
_ABSENT = ("", "unknown")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LAST_NANOSECOND = 253_402_300_799 * 10**9
"""The last second of the year 9999, the last that a canonical time can name."""


def count(value: Any) -> Optional[int]:
    """Return a whole number from 0 to 2^53; digits as text are a number."""
    is_digits = isinstance(value, str) and _DIGITS.fullmatch(value)
    if is_digits or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        return None
    return value


def amount(value: Any) -> Optional[float]:
    """Return a finite number that is not negative, a cost for example."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if type(value) not in (int, float) or not 0 <= value <= MAX_COUNT:
        return None
    return float(value) if math.isfinite(value) else None


def text(value: Any) -> Optional[str]:
    """Return a text that says something: neither empty nor `unknown`."""
    return value if isinstance(value, str) and value not in _ABSENT else None


def words(value: Any) -> Optional[str]:
    """Return a text that is not empty."""
    return value if isinstance(value, str) and value else None


def first_line(value: Any) -> Optional[str]:
    """Return the first line of a text that has one, cut to a bounded length."""
    if not isinstance(value, str):
        return None
    line = next((one.strip() for one in value.split("\n") if one.strip()), "")
    return line[:MAX_ERROR_CHARACTERS] or None


def first_text(attributes: Mapping[str, Any], names: Iterable[str]) -> Optional[str]:
    """Return the first of the named attributes that is a text and says something."""
    for name in names:
        value = attributes.get(name)
        if value is not None and (found := text(value)) is not None:
            return found
    return None


def first_count(attributes: Mapping[str, Any], names: Iterable[str]) -> Optional[int]:
    """Return the first of the named attributes that is a count."""
    for name in names:
        value = attributes.get(name)
        if value is not None and (found := count(value)) is not None:
            return found
    return None


def first_amount(attributes: Mapping[str, Any], names: Iterable[str]) -> Optional[float]:
    """Return the first of the named attributes that is an amount."""
    for name in names:
        value = attributes.get(name)
        if value is not None and (found := amount(value)) is not None:
            return found
    return None


def iso_time(value: Any) -> Optional[str]:
    """Return an RFC 3339 time in the canonical spelling."""
    try:
        return canonical_time(value) if isinstance(value, str) else None
    except ValueError:
        return None


def nanoseconds(value: Any) -> Optional[int]:
    """Return nanoseconds since 1970, given as a number or as digits; 0 means that none is given."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    return value if type(value) is int and 0 < value <= _LAST_NANOSECOND else None


def nano_time(value: Any) -> Optional[str]:
    """Return nanoseconds since 1970 as a canonical time, cut to microseconds."""
    since = nanoseconds(value)
    return None if since is None else format_time(_EPOCH + timedelta(microseconds=since // 1000))


def earlier(moment: str, milliseconds: Optional[float]) -> str:
    """Return a canonical time some milliseconds before another; the same one if that is absurd."""
    if not milliseconds:
        return moment
    at = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    try:
        return format_time(at - timedelta(milliseconds=milliseconds))
    except (OverflowError, ValueError):
        return moment


def mapping(value: Any) -> dict[str, Any]:
    """Return an object as it is, and no object as an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """Return a list as it is, and no list as an empty one."""
    return value if isinstance(value, list) else []
