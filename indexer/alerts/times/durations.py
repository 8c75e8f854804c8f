"""Lengths of time in words, and times as moments. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Optional

from telemetry_core.timestamp import parse_time

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
NEVER = datetime.min.replace(tzinfo=timezone.utc)


def in_words(length: timedelta) -> str:
    """Return a length of time in its two largest units: `1 d 2 h`, `90 s` as `1 min 30 s`."""
    rest = max(0, round(length.total_seconds()))
    parts = []
    for seconds, unit in _UNITS:
        number, rest = divmod(rest, seconds)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"


def moment(time: Optional[str]) -> Optional[datetime]:
    """Return a time that agents or the indexer recorded; None if it is not one."""
    try:
        return parse_time(time) if time else None
    except ValueError:
        return None
