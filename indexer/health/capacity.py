"""How fast the log grows, and how long the disk has room for it.

Used by the health and by doctor. It looks at names and sizes and opens no file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Optional

from indexer.log.segments import Segment, list_segments
from indexer.system.filesystem import free_bytes
from telemetry_core.timestamp import moment_of

LOW_BYTES = 500_000_000
LOW_DAYS = 7.0
"""With less room than this the disk needs attention."""

_WEEK = 7
_DAY = re.compile(r"^events_(\d{4})(\d{2})(\d{2})\.")


@dataclass(frozen=True)
class Capacity:
    """The growth of the log over a week, and the room that is left."""

    log_bytes: int
    bytes_per_day: float
    """Growth of the log: the mean of the last week, or since the log began."""
    free_bytes: Optional[int]
    """On the log's disk; None if the system does not say."""
    days_left: Optional[float]
    """Until log and database fill the disk at this rate; None if nothing grows."""

    @property
    def is_low(self) -> bool:
        """Whether the disk is nearly full, or will be within days."""
        few = self.days_left is not None and self.days_left < LOW_DAYS
        return few or (self.free_bytes is not None and self.free_bytes < LOW_BYTES)


def capacity(
    log_directory: Path, database_bytes: int, segments: Optional[list[Segment]] = None
) -> Capacity:
    """Return how log and database grow. Raises OSError if the log directory can't be read."""
    files = list_segments(log_directory) if segments is None else segments
    log_bytes = sum(file.size for file in files)
    pace = _bytes_per_day(files, datetime.now(timezone.utc))
    free = free_bytes(log_directory)
    with_database = pace * (1 + database_bytes / log_bytes) if log_bytes else 0.0
    left = free / with_database if free is not None and with_database else None
    return Capacity(log_bytes, pace, free, left)


def _bytes_per_day(files: list[Segment], now: datetime) -> float:
    first = now - timedelta(days=_WEEK)
    days = {file.name: _day_of(file) for file in files}
    recent = [file for file in files if first < days[file.name] <= now]
    if not recent:
        return 0.0
    begun = max(first, min(days[file.name] for file in recent))
    # A log of five minutes says little about a day: at least one whole day counts.
    length = max(1.0, (now - begun) / timedelta(days=1))
    return sum(file.size for file in recent) / length


def _day_of(file: Segment) -> datetime:
    """Return when a segment's day began; without a day in its name, when it last changed."""
    match = _DAY.match(file.name)
    try:
        if match:
            year, month, day = map(int, match.groups())
            return datetime(year, month, day, tzinfo=timezone.utc)
    except ValueError:
        # Eight digits that are not a day.
        pass
    return moment_of(file.changed / 1e9)
