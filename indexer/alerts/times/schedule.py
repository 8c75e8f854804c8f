"""Compute when a job is due by a cron expression in its time zone. Pure, but for the library.

Changes to and from summer time are treated as Debian's cron does: a job at a time that is skipped
runs once the clock has moved on, and one at a time that comes twice runs once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Optional

from indexer.alerts.times.zones import zone_named

_FIELDS = 5
# Searched forwards: backwards, the hour that comes twice in autumn would be left out.
_LOOK_BACK_DAYS = (2, 40, 400, 3700)
REQUIREMENT = "cron needs cronsim: pip install 'local-telemetry[alerts]'"


def check_cron(expression: str, zone_name: str) -> None:
    """Raise ValueError unless an expression can be read."""
    zone_named(zone_name)
    if len(expression.split()) != _FIELDS:
        raise ValueError(f"cron is {expression!r}: give five fields, as in 0 3 * * *")
    previous_time(expression, zone_name, datetime(2026, 1, 1, tzinfo=timezone.utc))


def previous_time(expression: str, zone_name: str, moment: datetime) -> Optional[datetime]:
    """Return the last scheduled time at or before a moment, in UTC; None if there is none.

    Raises ValueError.
    """
    zone = zone_named(zone_name)
    for days in _LOOK_BACK_DAYS:
        begin = (moment - timedelta(days=days)).astimezone(zone)
        found = _last_until(moment, _times(expression, begin))
        if found is not None:
            return found
    return None


def next_time(expression: str, zone_name: str, moment: datetime) -> Optional[datetime]:
    """Return the first scheduled time after a moment, in UTC; None if there is none.

    Raises ValueError.
    """
    begin = moment.astimezone(zone_named(zone_name))
    found = next(iter(_times(expression, begin)), None)
    return found.astimezone(timezone.utc) if found is not None else None


def _times(expression: str, begin: datetime) -> Iterator[datetime]:
    """Yield the scheduled times after a moment, in its zone. Raises ValueError."""
    try:
        # Imported here: it is an extra, and only schedules need it.
        from cronsim import CronSim, CronSimError
    except ImportError:
        raise ValueError(REQUIREMENT) from None
    try:
        yield from CronSim(expression, begin)
    except CronSimError as error:
        raise ValueError(f"cron is {expression!r}: {error}") from None


def _last_until(moment: datetime, times: Iterable[datetime]) -> Optional[datetime]:
    found = None
    for time in times:
        utc = time.astimezone(timezone.utc)
        if utc > moment:
            return found
        found = utc
    return found
