"""Suggest a `missed` rule for a job from when it ran before. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple, Optional

_LEAST_RUNS = 5
_DAY = timedelta(days=1)
_STEPS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
    _DAY,
    timedelta(weeks=1),
)
_LEAST_GRACE = timedelta(minutes=5)
_TOLERANCE = 0.2
_UNITS = ((_DAY, "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "m"))


class Suggestion(NamedTuple):
    """The settings that fit a job's own history."""

    every: Optional[str]
    cron: Optional[str]
    grace: str
    runs: int
    """How many runs it is made of."""


def suggest(starts: Sequence[datetime]) -> Optional[Suggestion]:
    """Return a schedule for a job that began at these times; None if it has no rhythm.

    The times are aware, in the zone that a cron expression would be in.
    """
    ordered = sorted(starts)
    gaps = [later - earlier for earlier, later in zip(ordered, ordered[1:])]
    gaps = [gap for gap in gaps if gap > timedelta(seconds=30)]
    if len(gaps) < _LEAST_RUNS - 1:
        return None
    usual = sorted(gaps)[len(gaps) // 2]
    regular = [gap for gap in gaps if abs(gap - usual) <= usual * _TOLERANCE]
    if len(regular) * 4 < len(gaps) * 3:
        return None
    longest = max(regular)
    grace = max(_LEAST_GRACE, (longest - usual) * 2, usual / 20)
    if abs(usual - _DAY) < _DAY * _TOLERANCE:
        return Suggestion(None, _daily(ordered), _written(grace), len(ordered))
    return Suggestion(_written(usual), None, _written(grace), len(ordered))


def _daily(starts: Sequence[datetime]) -> str:
    """Return the cron expression of the usual time of the day, rounded down to five minutes."""
    minutes = int(median(start.hour * 60 + start.minute for start in starts)) // 5 * 5
    return f"{minutes % 60} {minutes // 60} * * *"


def _written(length: timedelta) -> str:
    """Return a length of time as the settings have it, rounded up to a step that people use."""
    step = max((one for one in _STEPS if one * 4 <= length), default=_STEPS[0])
    rounded = -(-length // step) * step
    for unit, letter in _UNITS:
        if rounded % unit == timedelta(0):
            return f"{rounded // unit}{letter}"
    return f"{int(rounded.total_seconds())}s"
