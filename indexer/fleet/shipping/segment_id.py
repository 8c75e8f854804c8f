"""Say which segment this is, as the centre knows it."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import NamedTuple

from indexer.log.names import parse_segment_name

NO_DAY = date(2149, 6, 6)
"""The day of a segment whose name has none: the last that the centre can hold, so that its rows
do not expire at once."""


class SegmentId(NamedTuple):
    """A segment as the centre knows it."""

    number: int
    """A hash of its first line, which survives renaming and compression."""
    name: str

    @property
    def day(self) -> date:
        """The day that its name says: a key must say the same each time."""
        return _day_of(self.name)


@lru_cache(maxsize=64)
def _day_of(name: str) -> date:
    return parse_segment_name(name).day or NO_DAY
