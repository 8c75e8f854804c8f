"""Gather the health of one base directory.

Used by `telemetry status`, the live page and the alerts. It only reads; findings.py decides what
of it is a problem.
"""

from __future__ import annotations

import os
import sqlite3
import time
from itertools import islice
from typing import Any

from indexer.health.acknowledgement import load, new_lines
from indexer.health.capacity import Capacity, capacity
from indexer.health.deliveries import read_deliveries
from indexer.health.findings import problems
from indexer.health.model import (
    AlertHealth,
    Backlog,
    Bytes,
    DaemonHealth,
    Growth,
    Health,
    Lines,
    QuarantinedLine,
    SegmentFault,
    StaleRun,
)
from indexer.ingest.backlog import Backlog as LogBacklog
from indexer.ingest.backlog import take_backlog
from indexer.log.streams import UNFINISHED
from indexer.store.connection import wal_bytes
from indexer.store.integrity import check_integrity
from indexer.store.status import read_status
from indexer.store.totals import runs_by_status
from indexer.system.base import Base
from indexer.system.filesystem import free_bytes
from indexer.terminal.json_output import parsed
from telemetry_core.event import WRITER_DROPPED, WRITER_SUBJECT

_SHOWN = 5
_COMPRESSING_SECONDS = 3600
"""A compressed segment that is incomplete and has not changed for this long was cut off."""


def check_health(
    base: Base, connection: sqlite3.Connection, with_integrity: bool = False
) -> Health:
    """Return the health of a base directory whose database has just been brought up to date.

    `with_integrity` reads the whole database, which may take minutes. The row factory
    of the connection has to be sqlite3.Row. Raises OSError or sqlite3.Error.
    """
    backlog = take_backlog(connection, base.log_directory)
    found = capacity(base.log_directory, _database_bytes(base), backlog.segments)
    health = Health(
        base=str(base.directory),
        log_directory=str(base.log_directory),
        database=str(base.database_path),
        growth=_growth(found),
        integrity=check_integrity(connection) if with_integrity else None,
        settings=list(base.config.refused),
        **_of_indexer(base, connection),
        **_of_deliveries(base, connection, backlog),
        **_of_log(base, connection, backlog),
        **_of_runs(connection),
    )
    return health._replace(problems=problems(health, is_disk_low=found.is_low))


def _growth(found: Capacity) -> Growth:
    days = None if found.days_left is None else round(found.days_left, 1)
    return Growth(round(found.bytes_per_day), found.free_bytes, days)


def _of_indexer(base: Base, connection: sqlite3.Connection) -> dict[str, Any]:
    """Return the fields on the indexer and the files that it writes."""
    status = read_status(connection)
    return {
        "daemon": _daemon(base, status),
        "database_bytes": _database_bytes(base),
        "wal_bytes": wal_bytes(base.database_path),
        "database_free_bytes": free_bytes(base.database_path.parent),
        "last_error": status.get("last_error"),
        "last_error_at": status.get("last_error_at"),
        "started_at": status.get("started_at"),
    }


def _of_deliveries(
    base: Base, connection: sqlite3.Connection, backlog: LogBacklog
) -> dict[str, Any]:
    """Return the fields on what is sent, and how much has yet to be."""
    forwarding = read_deliveries(base, connection)
    return {
        "forwarding": forwarding,
        "alerts": _alert_health(base, connection),
        "backlog": Backlog(
            files=len(backlog.behind),
            api_posts=sum(target.waiting for target in forwarding.targets),
        ),
    }


def _alert_health(base: Base, connection: sqlite3.Connection) -> AlertHealth:
    if not base.settings_path.exists():
        return AlertHealth([], 0, [])
    # Imported here: most bases have no alerts.
    from indexer.health.alerts import read_alert_health

    return read_alert_health(base, connection)


def _of_log(base: Base, connection: sqlite3.Connection, backlog: LogBacklog) -> dict[str, Any]:
    """Return the fields on the log: what was read of it, what was not, and why."""
    unacknowledged, latest = _quarantine(base, connection)
    files, lines, sizes = _accounting(connection, backlog.log_bytes)
    return {
        "lag_bytes": backlog.lag_bytes,
        "lag_seconds": round(backlog.lag_seconds, 3),
        "files": files,
        "lines": lines,
        "bytes": sizes,
        "quarantine_new": unacknowledged,
        "quarantine": latest,
        "file_faults": _damaged_segments(connection),
        "unreadable_files": [SegmentFault(one.name, one.reason) for one in backlog.unreadable],
        "events_without_segment": backlog.unplaced_events,
        "ignored_files": [one.name for one in backlog.unread_files],
    }


def _of_runs(connection: sqlite3.Connection) -> dict[str, Any]:
    by_status, last_event = runs_by_status(connection)
    return {
        "runs": by_status,
        "stale_runs": _stale_runs(connection),
        "last_event": last_event,
        "events_dropped": _events_dropped(connection),
    }


def problems_of(base: Base, connection: sqlite3.Connection) -> list[str]:
    """Return what makes the status degraded, for a connection with any row factory."""
    before, connection.row_factory = connection.row_factory, sqlite3.Row
    try:
        return list(check_health(base, connection).problems)
    finally:
        connection.row_factory = before


def _daemon(base: Base, status: dict[str, Any]) -> DaemonHealth:
    holder = base.daemon()
    running = bool(holder)
    return DaemonHealth(
        running=running,
        pid=holder.get("pid"),
        host=holder.get("host"),
        since=holder.get("since"),
        heartbeat=status.get("heartbeat"),
        watching=bool(status.get("watching")) if running else None,
    )


def _quarantine(base: Base, connection: sqlite3.Connection) -> tuple[int, list[QuarantinedLine]]:
    """Return how many quarantined lines are not acknowledged, and the latest of them."""
    lines = new_lines(connection, load(base))
    latest = list(islice(lines, _SHOWN))
    return len(latest) + sum(1 for _ in lines), latest


def _stale_runs(connection: sqlite3.Connection) -> list[StaleRun]:
    rows = connection.execute("SELECT * FROM stale_runs ORDER BY last_event_time")
    return [StaleRun(**dict(row)) for row in rows]


def _accounting(connection: sqlite3.Connection, log_bytes: int) -> tuple[int, Lines, Bytes]:
    """Return how many segments were read, and what became of their lines and bytes."""
    files, read, *sums = connection.execute(
        "SELECT count(*), ifnull(sum(offset), 0), ifnull(sum(indexed), 0),"
        " ifnull(sum(duplicate), 0), ifnull(sum(quarantined), 0),"
        " ifnull(sum(indexed_bytes), 0), ifnull(sum(duplicate_bytes), 0),"
        " ifnull(sum(quarantined_bytes), 0) FROM log_files"
    ).fetchone()
    sizes = sums[3:]
    return files, Lines(*sums[:3]), Bytes(log_bytes, read, sum(sizes), *sizes)


def _damaged_segments(connection: sqlite3.Connection) -> list[SegmentFault]:
    """Return segments that can't be decoded to their end, except those still being written."""
    at_rest = time.time_ns() - _COMPRESSING_SECONDS * 10**9
    rows = connection.execute(
        "SELECT name, fault FROM log_files"
        " WHERE fault IS NOT NULL AND (fault <> ? OR changed < ?) LIMIT ?",
        (UNFINISHED, at_rest, _SHOWN),
    )
    return [SegmentFault(name, fault) for name, fault in rows]


def _events_dropped(connection: sqlite3.Connection) -> int:
    """Return how many events all writers dropped; each reports its own total repeatedly."""
    rows = connection.execute(
        "SELECT source, payload_json FROM run_events WHERE run_id = ? AND type = ?",
        (WRITER_SUBJECT, WRITER_DROPPED),
    )
    totals: dict[str, int] = {}
    for source, payload in rows:
        report = parsed(payload)
        number = report.get("events_dropped") if isinstance(report, dict) else None
        if isinstance(number, int):
            totals[source] = max(number, totals.get(source, 0))
    return sum(totals.values())


def _database_bytes(base: Base) -> int:
    names = (f"{base.database_path}{suffix}" for suffix in ("", "-wal"))
    return sum(os.path.getsize(name) for name in names if os.path.exists(name))
