"""Words that several pages say alike: times, periods, how far back was searched.

Called by the pages.
"""

from __future__ import annotations

from datetime import datetime, timezone

from telemetry_core.timestamp import parse_time

PERIODS = (
    ("1h", "last hour"),
    ("24h", "last 24 hours"),
    ("7d", "last 7 days"),
    ("30d", "last 30 days"),
    ("", "any time"),
)
"""The periods offered, by what an address calls them."""


def period_in_words(since: str, until: str) -> str:
    """Return a period as in `12 runs in the last hour`; empty for all of time."""
    known = dict(PERIODS).get(since)
    words = ""
    if since and known:
        words = f"in the {known}"
    elif since:
        words = f"since {day(since)}"
    return f"{words} until {day(until)}".strip() if until else words


def day(moment: str) -> str:
    """Return a moment as a local day: `3 Nov`, with the year if it is not this one's."""
    try:
        local = parse_time(moment).astimezone()
    except (ValueError, OverflowError):
        return moment
    year = f" {local.year}" if local.year != datetime.now(timezone.utc).year else ""
    return f"{local.day} {local:%b}{year}, {local:%H:%M}"


def hour_label(moment: str) -> str:
    """Return the local time at which an hour begins: `14:00`."""
    return f"{parse_time(moment).astimezone():%H:%M}"
