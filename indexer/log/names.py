"""Parse what a name says about its segment, and make the names that archiving gives.

Pure. A name is a stem, perhaps a piece number, an ending, and perhaps what a log rotator added:

- `events_20261122.ndjson`: the shared segment of a day.
- `events_20261122.web1-4242.ndjson`: the spill file of one process.
- `events_20261122.1.ndjson.gz`: a piece that archiving made; nobody writes to it.
- `events_20261122.ndjson.1`, `events_20261122.ndjson-20261123.gz`: rotated by logrotate or alike.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import date, datetime, time, timedelta, timezone
from itertools import count
from typing import NamedTuple, Optional

PLAIN = ".ndjson"
COMPRESSED = (".gz", ".zst")

_NAME = re.compile(
    r"(?P<stem>.+?)(?:\.(?P<piece>[0-9]{1,9}))?"
    r"(?P<suffix>\.ndjson(?P<rotated>(?:[.-][0-9]{1,14}){1,2})?(?:\.gz|\.zst)?)",
    re.DOTALL,
)
_STEM = re.compile(r"events_([0-9]{4})([0-9]{2})([0-9]{2})(\..+-[0-9]+)?", re.DOTALL)


class SegmentName(NamedTuple):
    """The parts of a segment's name."""

    stem: str
    piece: Optional[int]
    """The number that archiving gave it; None for a name that a writer gave."""
    suffix: str
    """The rest of the name, rotation and compression included."""
    day: Optional[date]
    """The UTC day of its events; None where the name does not say."""
    is_spill: bool
    """Whether one process appends to it without a lock."""
    is_rotated: bool = False
    """Whether a log rotator renamed it."""

    @property
    def is_compressed(self) -> bool:
        """Whether its bytes are compressed."""
        return self.suffix.endswith(COMPRESSED)

    def is_over(self, age: timedelta, now: datetime) -> bool:
        """Whether its day ended at least `age` ago."""
        if self.day is None or self.day >= date.max:
            return False
        end = datetime.combine(self.day + timedelta(days=1), time(), timezone.utc)
        try:
            return end <= now - max(age, timedelta(0))
        except OverflowError:
            return False


def is_segment_name(name: str) -> bool:
    """Whether a file of this name in the log's directory is part of the log."""
    return not name.startswith(".") and _NAME.fullmatch(name) is not None


def parse_segment_name(name: str) -> SegmentName:
    """Return the parts of a segment's name."""
    parts = _NAME.fullmatch(name)
    if parts is None:
        return SegmentName(name, None, "", None, False)
    stem, number, suffix = parts["stem"], parts["piece"], parts["suffix"]
    piece = None if number is None else int(number)
    named = _STEM.fullmatch(stem)
    is_spill = named is not None and bool(named[4]) and piece is None and suffix == PLAIN
    return SegmentName(stem, piece, suffix, _day(named), is_spill, bool(parts["rotated"]))


def free_name(stem: str, suffix: str, taken: Collection[str]) -> str:
    """Return an unused name of `stem` for a compressed segment, or a piece nobody writes to.

    `taken` are the names of the directory. The name differs from all of them in more than its
    compression, so that the piece may be compressed and still be distinct from the others.
    """
    names = [parse_segment_name(name) for name in taken]
    known = {(name.stem, name.piece) for name in names if name.is_compressed}
    if suffix != PLAIN and (stem, None) not in known:
        return stem + suffix
    known |= {(name.stem, name.piece) for name in names}
    piece = next(number for number in count(1) if (stem, number) not in known)
    return f"{stem}.{piece}{suffix}"


def names_by_stem(names: Iterable[str]) -> dict[str, set[str]]:
    """Return the names of segments, grouped by stem."""
    found: dict[str, set[str]] = {}
    for name in names:
        if is_segment_name(name):
            found.setdefault(parse_segment_name(name).stem, set()).add(name)
    return found


def _day(named: Optional[re.Match[str]]) -> Optional[date]:
    try:
        return date(*map(int, named.groups()[:3])) if named else None
    except ValueError:
        return None
