"""The health of one base: daemon, lag, accounting, trouble; with the keys that --json shows.

Called by `telemetry status`. It only reads, and finds out what is a problem and what is not.
"""

from __future__ import annotations

import os
import sqlite3
import time
from typing import Any

from indexer.cli.commands.stats import runs_by_status
from indexer.cli.human import count, duration, many, seconds_since, size
from indexer.cli.output import parsed
from indexer.daemon import HEARTBEAT_SECONDS
from indexer.database import WAL_LIMIT_BYTES, wal_bytes
from indexer.filesystem import free_bytes
from indexer.lag import lag_bytes
from indexer.log_files import list_log_files
from indexer.own_state import read_status
from indexer.places import DAEMON, indexer_lease
from indexer.reading import MAX_BATCH_BYTES
from indexer.streams import UNFINISHED
from telemetry_core.config import TelemetryConfig
from telemetry_core.event import WRITER_DROPPED, WRITER_SUBJECT

_MISSED_BEATS = 3
_SHOWN = 5
_COMPRESSING_SECONDS = 3600
"""A compressed file that is unfinished and did not change for so long was cut."""
_ROOM_FOR_A_BATCH = 2 * MAX_BATCH_BYTES
"""What a batch may need on disk, rows and write-ahead log together."""


def health(config: TelemetryConfig, connection: sqlite3.Connection) -> dict[str, Any]:
    """Return all that `telemetry status` shows. The view has just been brought up to date."""
    own = read_status(connection)
    found: dict[str, Any] = {
        "base": str(config.metrics_dir),
        "state": "ok",
        "problems": [],
        "daemon": _daemon(config, own),
        "log_directory": str(config.ndjson_dir),
        "database": str(config.database_path),
        "database_bytes": _database_bytes(config),
        "wal_bytes": wal_bytes(config.database_path),
        "database_free_bytes": free_bytes(config.database_path.parent),
        "lag_bytes": lag_bytes(connection, config.ndjson_dir),
        **_accounting(config, connection),
        "quarantine": _rows(
            connection,
            "SELECT file, offset, length, reason, excerpt FROM quarantine"
            " ORDER BY file DESC, offset DESC LIMIT ?",
        ),
        "file_faults": _file_faults(connection),
        "runs": runs_by_status(connection),
        "stale_runs": [
            dict(row)
            for row in connection.execute("SELECT * FROM stale_runs ORDER BY last_event_time")
        ],
        "events_dropped": _events_dropped(connection),
        "last_error": own.get("last_error"),
        "last_error_at": own.get("last_error_at"),
    }
    found["problems"] = _problems(found, own)
    found["state"] = "degraded" if found["problems"] else "ok"
    return found


def _daemon(config: TelemetryConfig, own: dict[str, Any]) -> dict[str, Any]:
    # Whoever brought the view up to date had the lease, and a note left behind by a daemon that
    # was killed is gone by that: what says now that it is a daemon is one.
    holder = indexer_lease(config, "").holder()
    running = holder.get("purpose") == DAEMON
    return {
        "running": running,
        "pid": holder.get("pid") if running else None,
        "host": holder.get("host") if running else None,
        "since": holder.get("since") if running else None,
        "heartbeat": own.get("heartbeat"),
        "watching": bool(own.get("watching")) if running else None,
    }


def _accounting(config: TelemetryConfig, connection: sqlite3.Connection) -> dict[str, Any]:
    files, read, *sums = connection.execute(
        "SELECT count(*), ifnull(sum(offset), 0), ifnull(sum(indexed), 0),"
        " ifnull(sum(duplicate), 0), ifnull(sum(quarantined), 0),"
        " ifnull(sum(indexed_bytes), 0), ifnull(sum(duplicate_bytes), 0),"
        " ifnull(sum(quarantined_bytes), 0) FROM log_files"
    ).fetchone()
    outcomes = ("indexed", "duplicate", "quarantined")
    sizes = dict(zip(outcomes, sums[3:]))
    log = sum(file.size for file in list_log_files(config.ndjson_dir))
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


def _problems(found: dict[str, Any], own: dict[str, Any]) -> list[str]:
    problems = []
    daemon = found["daemon"]
    # One that has just begun has not said anything yet; and what seems to come from the future
    # is as old as the clock was set back, or older.
    silence = min(abs(seconds_since(daemon["heartbeat"])), abs(seconds_since(daemon["since"])))
    if daemon["running"] and silence > _MISSED_BEATS * HEARTBEAT_SECONDS:
        problems.append(
            f"the daemon has been silent for {duration(silence * 1000)}: restart it if it hangs"
        )
    # What the daemon met before it was last started was seen to, or is met again.
    if found["last_error"] and (found["last_error_at"] or "") >= (own.get("started_at") or ""):
        problems.append(f"the indexer met an error: {found['last_error']}")
    problems += _problems_of_the_disk(found)
    if found["lines"]["quarantined"]:
        lines = many(found["lines"]["quarantined"], "line")
        problems.append(f"{lines} of the log can't be read as events: see the table quarantine")
    problems += [f"{file['file']}: {file['fault']}" for file in found["file_faults"]]
    if found["bytes"]["accounted"] != found["bytes"]["read"]:
        problems.append("not every byte is accounted for; run `telemetry verify`")
    if found["events_dropped"]:
        problems.append(
            f"writers had to drop {count(found['events_dropped'])} events:"
            " their disk was full, or the log directory not writable"
        )
    return problems


def _problems_of_the_disk(found: dict[str, Any]) -> list[str]:
    problems = []
    free, lag = found["database_free_bytes"], found["lag_bytes"]
    if lag and free is not None and free < _ROOM_FOR_A_BATCH:
        problems.append(
            f"the view is {size(lag)} behind the log, and its disk has only {size(free)} left:"
            " free some space; the log is not harmed"
        )
    if found["wal_bytes"] > WAL_LIMIT_BYTES:
        problems.append(
            "a reader holds the write-ahead log back, which has grown to"
            f" {size(found['wal_bytes'])}: end what keeps a transaction open on the database"
        )
    return problems


def _rows(connection: sqlite3.Connection, sql: str) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(sql, (_SHOWN,))]


def _database_bytes(config: TelemetryConfig) -> int:
    names = (f"{config.database_path}{suffix}" for suffix in ("", "-wal"))
    return sum(os.path.getsize(name) for name in names if os.path.exists(name))
