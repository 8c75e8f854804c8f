"""The problems: what of a base's health makes it degraded, said with what to do about it.

Called by the health, whose findings it reads. It looks at nothing by itself.
"""

from __future__ import annotations

from typing import Any, Optional

from indexer.forward.circuit_breaker import DOWN, PAUSED
from indexer.health.capacity import Growth
from indexer.ingest.batch import MAX_BYTES
from indexer.store.connection import WAL_LIMIT_BYTES
from indexer.store.status import HEARTBEAT_SECONDS
from indexer.terminal.format import count, duration, many, plain, seconds_since, size

_LONGEST_SILENCE = 3 * HEARTBEAT_SECONDS
_NAMES_SHOWN = 3
_ROOM_FOR_A_BATCH = 2 * MAX_BYTES
"""What a batch may need on disk, rows and write-ahead log together."""


def problems(found: dict[str, Any], grown: Growth, started_at: Optional[str]) -> list[str]:
    """Return what makes a base degraded, each with what to do.

    `found` has the keys of `telemetry status --json`; `started_at` is when the daemon began.
    """
    daemon, integrity = found["daemon"], found["integrity"]
    told = []
    # One that has just begun has not said anything yet; and what seems to come from the future
    # is as old as the clock was set back, or older.
    silence = min(abs(seconds_since(daemon["heartbeat"])), abs(seconds_since(daemon["since"])))
    # One with nothing to do is silent too; it hangs if there are lines that it does not take.
    if daemon["running"] and min(silence, found["lag_seconds"]) > _LONGEST_SILENCE:
        told.append(
            f"the daemon has been silent for {duration(silence * 1000)}: restart it if it hangs"
        )
    # What the daemon met before it was last started was seen to, or is met again.
    if found["last_error"] and (found["last_error_at"] or "") >= (started_at or ""):
        told.append(f"the indexer met an error: {found['last_error']}")
    told += _problems_of_the_disk(found)
    if found["quarantine_new"]:
        lines = many(found["quarantine_new"], "line")
        told.append(f"{lines} of the log can't be read as events: see `telemetry quarantine`")
    told += [f"{file['file']}: {file['fault']}" for file in found["file_faults"]]
    told += _problems_of_the_log(found)
    if found["bytes"]["accounted"] != found["bytes"]["read"]:
        told.append("not every byte is accounted for; run `telemetry verify`")
    if found["events_dropped"]:
        told.append(
            f"writers had to drop {count(found['events_dropped'])} events:"
            " their disk was full, or the log directory not writable"
        )
    if integrity and not integrity["ok"]:
        first = plain(integrity["problems"][0])
        told.append(f"the view's file is damaged ({first}): run `telemetry rebuild`")
    return [*told, *_problems_of_forwarding(found["forwarding"]), *_room_problems(grown)]


def _problems_of_the_log(found: dict[str, Any]) -> list[str]:
    """Return what is recorded and cannot be read, or is no longer in the log."""
    told = [
        f"{one['name']} cannot be read, and its new events are missing: {one['reason']}"
        for one in found["unreadable"]
    ]
    unread = found["unread_files"]
    if unread:
        names = ", ".join(plain(one["name"]) for one in unread[:_NAMES_SHOWN])
        more = f" and {count(len(unread) - _NAMES_SHOWN)} more" if unread[_NAMES_SHOWN:] else ""
        told.append(
            f"not part of the log and not read: {names}{more}; rename what holds events to"
            " events_YYYYMMDD.NAME.ndjson, and move the rest out of the log's directory"
        )
    if found["unplaced_events"]:
        events = many(found["unplaced_events"], "event")
        told.append(
            f"{events} are in the database only, for their segments are gone from"
            f" {found['log_directory']}: restore those from a backup, or drop the rows with"
            " `telemetry rebuild --force`"
        )
    return told


def _problems_of_the_disk(found: dict[str, Any]) -> list[str]:
    told = []
    free, lag = found["database_free_bytes"], found["lag_bytes"]
    if lag and free is not None and free < _ROOM_FOR_A_BATCH:
        told.append(
            f"the view is {size(lag)} behind the log, and its disk has only {size(free)} left:"
            " free some space; the log is not harmed"
        )
    if found["wal_bytes"] > WAL_LIMIT_BYTES:
        told.append(
            "a reader holds the write-ahead log back, which has grown to"
            f" {size(found['wal_bytes'])}: end what keeps a transaction open on the database"
        )
    return told


def _problems_of_forwarding(forwarding: dict[str, Any]) -> list[str]:
    told = list(forwarding["problems"])
    for target in forwarding["targets"]:
        name, error = target["name"], target["last_error"]
        if target["state"] == PAUSED:
            told.append(
                f"{name} rejected our credentials ({error}): fix the token, then run"
                " `telemetry forward retry`"
            )
        elif target["state"] == DOWN:
            waiting = many(target["waiting"], "run")
            told.append(f"{name} is down ({error}): {waiting} waiting, retried automatically")
        if target["dead"]:
            runs = many(target["dead"], "run")
            told.append(f"{name} rejected {runs}: see `telemetry forward dead`")
    return told


def _room_problems(grown: Growth) -> list[str]:
    if not grown.is_low or grown.free_bytes is None:
        return []
    left = "" if grown.days_left is None else f", for {grown.days_left:.0f} days at this pace"
    return [f"the disk has {size(grown.free_bytes)} left{left}: make room, or move the base"]
