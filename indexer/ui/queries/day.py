"""Count the runs of the last day by hour and status.

Called by the overview.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from indexer.store.run_queries import STALE
from telemetry_core.status import RUNNING
from telemetry_core.timestamp import format_time


class Hour(NamedTuple):
    """One hour."""

    start: str
    """UTC, in the canonical spelling."""
    statuses: dict[str, int]


# Of the local hours those of half-hour zones differ; what begins an hour is named by its start.
_BY_HOUR = (
    "SELECT substr(start_time, 1, 13) AS hour, status, count(*) FROM agent_runs"
    " INDEXED BY agent_runs_by_start WHERE start_time >= ? GROUP BY +hour, +status"
)
_STALE_BY_HOUR = (
    "SELECT substr(start_time, 1, 13), count(*) FROM stale_runs WHERE start_time >= ? GROUP BY 1"
)


def last_day(connection: sqlite3.Connection) -> list[Hour]:
    """Return the last 24 hours, the oldest first, also those in which nothing ran."""
    now = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    hours = [now - timedelta(hours=number) for number in range(23, -1, -1)]
    parts: dict[str, dict[str, int]] = {f"{hour:%Y-%m-%dT%H}": {} for hour in hours}
    for hour, status, number in connection.execute(_BY_HOUR, (format_time(hours[0]),)):
        if hour in parts:
            parts[hour][str(status)] = number
    for hour, number in connection.execute(_STALE_BY_HOUR, (format_time(hours[0]),)):
        if hour in parts:
            _count_as_stale(parts[hour], number)
    return [Hour(format_time(hour), parts[f"{hour:%Y-%m-%dT%H}"]) for hour in hours]


def _count_as_stale(statuses: dict[str, int], number: int) -> None:
    """Count so many of the runs that are recorded as running as stale."""
    statuses[STALE] = number
    statuses[RUNNING] = statuses.get(RUNNING, 0) - number
    if statuses[RUNNING] <= 0:
        del statuses[RUNNING]
