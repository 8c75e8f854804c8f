"""The log names: what the name of a log file says of it, and the names that archiving gives.

Called by archiving, pruning and restoring, and by the ingest pass to find a file under its next
name. Pure.

A name is a stem, perhaps a number, and how it is packed: `events_20261122.ndjson` and
`events_20261122.web1-4242.ndjson` are what writers write, `events_20261122.1.ndjson.gz` is a
piece that nobody writes to.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, datetime, time, timedelta, timezone
from itertools import count
from typing import NamedTuple, Optional

PLAIN = ".ndjson"

_NAME = re.compile(
    r"(?P<stem>.+?)(?:\.(?P<piece>[0-9]{1,9}))?(?P<suffix>\.ndjson(?:\.gz|\.zst)?)", re.DOTALL
)
_STEM = re.compile(r"events_([0-9]{4})([0-9]{2})([0-9]{2})(\..+-[0-9]+)?", re.DOTALL)


class SegmentName(NamedTuple):
    """The parts of a log file's name."""

    stem: str
    piece: Optional[int]
    """The number that archiving gave it; None for a name that a writer gave."""
    suffix: str
    day: Optional[date]
    """The UTC day of its events; None where the name does not tell."""
    is_spill: bool
    """Whether one process writes it without a lock; false for what nobody writes to."""

    @property
    def is_compressed(self) -> bool:
        """Whether it is compressed."""
        return self.suffix != PLAIN

    def is_over(self, age: timedelta, now: datetime) -> bool:
        """Whether its day is past, and has been for as long as `age`."""
        if self.day is None or self.day >= date.max:
            return False
        end = datetime.combine(self.day + timedelta(days=1), time(), timezone.utc)
        try:
            return end <= now - max(age, timedelta(0))
        except OverflowError:
            return False


def parse_segment_name(name: str) -> SegmentName:
    """Take the name of a log file apart."""
    parts = _NAME.fullmatch(name)
    if parts is None:
        return SegmentName(name, None, "", None, False)
    stem, number, suffix = parts["stem"], parts["piece"], parts["suffix"]
    piece = None if number is None else int(number)
    named = _STEM.fullmatch(stem)
    is_spill = named is not None and bool(named[4]) and piece is None and suffix == PLAIN
    return SegmentName(stem, piece, suffix, _day(named), is_spill)


def free_name(stem: str, suffix: str, taken: Collection[str]) -> str:
    """Return a name of `stem` for a compressed file, or for a piece that nobody writes to.

    `taken` are the names of the directory: the name differs from all of them in more than how
    it is packed, so that the piece may be compressed and still be told from the others.
    """
    known = {
        (name.stem, name.piece) for name in map(parse_segment_name, taken) if name.is_compressed
    }
    if suffix != PLAIN and (stem, None) not in known:
        return stem + suffix
    known |= {(name.stem, name.piece) for name in map(parse_segment_name, taken)}
    piece = next(number for number in count(1) if (stem, number) not in known)
    return f"{stem}.{piece}{suffix}"


def _day(named: Optional[re.Match[str]]) -> Optional[date]:
    try:
        return date(*map(int, named.groups()[:3])) if named else None
    except ValueError:
        return None
