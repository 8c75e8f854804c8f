"""The health of one base: daemon, lag, accounting, trouble; with the keys that --json shows.

Called by `telemetry status`. It only reads; which of it is a problem is told elsewhere.
"""

from __future__ import annotations

import os
import sqlite3
import time
from itertools import islice
from typing import Any, Optional

from indexer.health.acknowledgement import load, new_lines
from indexer.health.capacity import growth
from indexer.health.deliveries import read_deliveries
from indexer.health.findings import problems
from indexer.ingest.backlog import Backlog, take_backlog
from indexer.log.streams import UNFINISHED
from indexer.store.connection import wal_bytes
from indexer.store.integrity import check_integrity
from indexer.store.status import read_status
from indexer.store.totals import runs_by_status
from indexer.system.base import DAEMON, Base
from indexer.system.filesystem import free_bytes
from indexer.terminal.json_output import parsed
from telemetry_core.event import WRITER_DROPPED, WRITER_SUBJECT

_SHOWN = 5
_COMPRESSING_SECONDS = 3600
"""A compressed file that is unfinished and did not change for so long was cut."""


def health(
    base: Base, connection: sqlite3.Connection, with_integrity: bool = False
) -> dict[str, Any]:
    """Return all that `telemetry status` shows. The view has just been brought up to date.

    `with_integrity` reads the whole view, which takes as long as that takes.
    """
    own = read_status(connection)
    view_bytes = _database_bytes(base)
    backlog = take_backlog(connection, base.log_directory)
    grown = growth(base.log_directory, view_bytes, backlog.segments)
    new, latest = _quarantine(base, connection)
    forwarding = read_deliveries(base, connection).as_json()
    found: dict[str, Any] = {
        "base": str(base.directory),
        "state": "ok",
        "problems": [],
        "daemon": _daemon(base, own),
        "log_directory": str(base.log_directory),
        "database": str(base.database_path),
        "database_bytes": view_bytes,
        "wal_bytes": wal_bytes(base.database_path),
        "database_free_bytes": free_bytes(base.database_path.parent),
        "lag_bytes": backlog.lag_bytes,
        "lag_seconds": round(backlog.lag_seconds, 3),
        "backlog": _waiting(backlog, forwarding["targets"]),
        "forwarding": forwarding,
        **_accounting(connection, grown.log_bytes),
        "quarantine_new": new,
        "quarantine": latest,
        "file_faults": _file_faults(connection),
        "unreadable": [one._asdict() for one in backlog.unreadable],
        "unread_files": [one._asdict() for one in backlog.unread_files],
        "unplaced_events": backlog.unplaced_events,
        "runs": runs_by_status(connection),
        "stale_runs": [
            dict(row)
            for row in connection.execute("SELECT * FROM stale_runs ORDER BY last_event_time")
        ],
        "last_event": _last_event(connection),
        "events_dropped": _events_dropped(connection),
        "growth": {
            "log_bytes_per_day": round(grown.bytes_per_day),
            "disk_free_bytes": grown.free_bytes,
            "disk_days_left": None if grown.days_left is None else round(grown.days_left, 1),
        },
        "integrity": check_integrity(connection)._asdict() if with_integrity else None,
        "last_error": own.get("last_error"),
        "last_error_at": own.get("last_error_at"),
    }
    found["problems"] = problems(found, grown, own.get("started_at"))
    found["state"] = "degraded" if found["problems"] else "ok"
    return found


def _daemon(base: Base, own: dict[str, Any]) -> dict[str, Any]:
    # Whoever brought the view up to date had the lease, and a note left behind by a daemon that
    # was killed is gone by that: what says now that it is a daemon is one.
    holder = base.indexer_lease("").holder()
    running = holder.get("purpose") == DAEMON
    return {
        "running": running,
        "pid": holder.get("pid") if running else None,
        "host": holder.get("host") if running else None,
        "since": holder.get("since") if running else None,
        "heartbeat": own.get("heartbeat"),
        "watching": bool(own.get("watching")) if running else None,
    }


def _quarantine(base: Base, connection: sqlite3.Connection) -> tuple[int, list[dict[str, Any]]]:
    """Return how many lines nobody has looked at, and the latest of them."""
    lines = new_lines(connection, load(base))
    latest = list(islice(lines, _SHOWN))
    return len(latest) + sum(1 for _ in lines), latest


def _waiting(backlog: Backlog, targets: list[dict[str, Any]]) -> dict[str, int]:
    """Return what waits: files with lines to be indexed, and runs to be sent to some target."""
    return {
        "files": len(backlog.behind),
        "api_posts": sum(target["waiting"] for target in targets),
    }


def _last_event(connection: sqlite3.Connection) -> Optional[str]:
    """Return when an agent was last heard of."""
    (time,) = connection.execute("SELECT max(last_event_time) FROM agent_runs").fetchone()
    return None if time is None else str(time)


def _accounting(connection: sqlite3.Connection, log: int) -> dict[str, Any]:
    files, read, *sums = connection.execute(
        "SELECT count(*), ifnull(sum(offset), 0), ifnull(sum(indexed), 0),"
        " ifnull(sum(duplicate), 0), ifnull(sum(quarantined), 0),"
        " ifnull(sum(indexed_bytes), 0), ifnull(sum(duplicate_bytes), 0),"
        " ifnull(sum(quarantined_bytes), 0) FROM log_files"
    ).fetchone()
    outcomes = ("indexed", "duplicate", "quarantined")
    sizes = dict(zip(outcomes, sums[3:]))
    return {
        "files": files,
        "lines": dict(zip(outcomes, sums[:3])),
        "bytes": {"log": log, "read": read, "accounted": sum(sizes.values()), **sizes},
    }


def _file_faults(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return the files that can't be decoded to their end, but for those still being written."""
    at_rest = time.time_ns() - _COMPRESSING_SECONDS * 10**9
    rows = connection.execute(
        "SELECT name AS file, fault FROM log_files"
        " WHERE fault IS NOT NULL AND (fault <> ? OR changed < ?) LIMIT ?",
        (UNFINISHED, at_rest, _SHOWN),
    )
    return [dict(row) for row in rows]


def _events_dropped(connection: sqlite3.Connection) -> int:
    """Return how many events all writers let go; each tells its own total, again and again."""
    rows = connection.execute(
        "SELECT source, payload_json FROM run_events WHERE run_id = ? AND type = ?",
        (WRITER_SUBJECT, WRITER_DROPPED),
    )
    totals: dict[str, int] = {}
    for source, payload in rows:
        told = parsed(payload)
        number = told.get("events_dropped") if isinstance(told, dict) else None
        if isinstance(number, int):
            totals[source] = max(number, totals.get(source, 0))
    return sum(totals.values())


def _database_bytes(base: Base) -> int:
    names = (f"{base.database_path}{suffix}" for suffix in ("", "-wal"))
    return sum(os.path.getsize(name) for name in names if os.path.exists(name))
