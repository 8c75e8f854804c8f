"""Define the part of the day in which no message is sent. Pure."""

from __future__ import annotations

import re
from datetime import datetime, time, tzinfo
from typing import NamedTuple

_SPAN = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


class QuietHours(NamedTuple):
    """From `start` to `end` by the clock on the wall; over midnight if it ends earlier."""

    start: time
    end: time
    zone: tzinfo

    def cover(self, moment: datetime) -> bool:
        """Return whether a moment lies in the quiet hours."""
        wall = moment.astimezone(self.zone).time()
        if self.start <= self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end


def parse_quiet_hours(text: str, zone: tzinfo) -> QuietHours:
    """Read `22:00-07:00`. Raises ValueError."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a span like 22:00-07:00")
    first, last = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    return QuietHours(first, last, zone)
