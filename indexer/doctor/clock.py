"""Check the clock: whether the log has events from the future."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Optional

from indexer.doctor.finding import Finding, note, ok, warning
from indexer.doctor.subject import Subject
from indexer.log.segments import Segment, list_segments
from telemetry_core.timestamp import moment_of, parse_time

_TOLERANCE = timedelta(minutes=5)
_LOOKED_AT = 10
_TAIL_BYTES = 64 * 1024
_TIME = re.compile(rb'"time":"([^"]{10,40})"')
_DAY = re.compile(r"events_(\d{8})\.")
_TODO = (
    "compare `date -u` with another clock, and enable time synchronization. Until then such"
    " events sort last; nothing is lost"
)


def check(subject: Subject) -> Iterator[Finding]:
    """Compare the latest segments with the current time."""
    now = datetime.now(timezone.utc)
    yield ok(f"it is {now:%Y-%m-%d %H:%M:%S} UTC")
    files = list_segments(subject.base.log_directory)
    future = f"{now + timedelta(days=1):%Y%m%d}"
    for file in files:
        day = _DAY.match(file.name)
        if day and day[1] > future:
            yield warning(f"{file.name} is named after a future day: some clock was ahead", _TODO)
    changed = [file for file in files if _changed(file) > now + _TOLERANCE]
    if changed:
        yield warning(
            f"{changed[0].name} was modified in the future: the clock was set back",
            _TODO,
        )
    for file in files[-_LOOKED_AT:]:
        latest = _latest_event(file.path)
        if latest is not None and latest > now + _TOLERANCE:
            yield note(f"{file.name} has an event dated {latest:%Y-%m-%d %H:%M:%S} UTC", _TODO)


def _changed(file: Segment) -> datetime:
    return moment_of(file.changed / 1e9)


def _latest_event(path: Path) -> Optional[datetime]:
    """Return the latest time among the last events of an uncompressed segment."""
    if not path.name.endswith(".ndjson"):
        return None
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - _TAIL_BYTES))
        found = _TIME.findall(file.read(_TAIL_BYTES))
    return max((time for time in map(_parsed, found) if time is not None), default=None)


def _parsed(text: bytes) -> Optional[datetime]:
    try:
        return parse_time(text.decode())
    except ValueError:
        return None
