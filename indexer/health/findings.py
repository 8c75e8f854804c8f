"""Decide what in the health of a base directory needs attention, and say what to do about it.

Pure: everything it judges is in the health it is given. docs/RUNBOOK.md has every sentence.
"""

from __future__ import annotations

from collections.abc import Iterator

from indexer.forward.circuit_breaker import DOWN, PAUSED
from indexer.health.deliveries import Deliveries
from indexer.health.model import AlertHealth, Health, WatchHealth
from indexer.ingest.limits import MAX_BATCH_BYTES
from indexer.outbox.target import CLICKHOUSE
from indexer.store.connection import WAL_LIMIT_BYTES
from indexer.store.status import HEARTBEAT_SECONDS
from indexer.terminal.format import count, duration, many, plain, seconds_since, size

_LONGEST_SILENCE = 3 * HEARTBEAT_SECONDS
_ROOM_FOR_A_BATCH = 2 * MAX_BATCH_BYTES
"""What a batch may need on disk, rows and write-ahead log together."""
_SHOWN = 3


def problems(health: Health, is_disk_low: bool) -> list[str]:
    """Return what needs attention, each with what to do; nothing if all is clear."""
    return [
        *health.settings,
        *_of_daemon(health),
        *_of_log(health),
        *_of_database(health),
        *_of_forwarding(health.forwarding),
        *_of_alerts(health.alerts),
        *([_low_disk(health)] if is_disk_low else []),
    ]


def _of_daemon(health: Health) -> Iterator[str]:
    daemon = health.daemon
    # A daemon that has just started has not reported yet; a report from the future is as old as
    # the clock was set back, or older.
    silence = min(abs(seconds_since(daemon.heartbeat)), abs(seconds_since(daemon.since)))
    # One with nothing to do is silent too; it hangs if lines wait that it does not index.
    if daemon.running and min(silence, health.lag_seconds) > _LONGEST_SILENCE:
        yield f"the daemon has been silent for {duration(silence * 1000)}: restart it if it hangs"
    # An error from before the daemon last started was fixed, or happens again.
    if health.last_error and (health.last_error_at or "") >= (health.started_at or ""):
        yield f"the indexer reported an error: {health.last_error}"


def _of_log(health: Health) -> Iterator[str]:
    if health.unreadable_files:
        reason = health.unreadable_files[0].fault
        yield (
            f"{_names([one.file for one in health.unreadable_files])} can't be opened ({reason}):"
            " fix the permissions; until then the events in it are not indexed"
        )
    if health.events_without_segment:
        yield (
            f"{many(health.events_without_segment, 'event')} in the database came from segments"
            " that are gone from the log directory: put them back, or drop the events with"
            " `telemetry rebuild --force`"
        )
    if health.ignored_files:
        yield (
            f"{_names(health.ignored_files)} in the log directory is not read, because of its"
            " name: rename it to end in .ndjson if it has events, or move it elsewhere"
        )
    if health.quarantine_new:
        lines = many(health.quarantine_new, "log line")
        yield f"{lines} could not be parsed: see `telemetry quarantine`"
    for segment in health.file_faults:
        yield f"{segment.file}: {segment.fault}"
    if health.bytes.accounted != health.bytes.read:
        yield "not every byte of the log is accounted for: run `telemetry verify`"
    if health.events_dropped:
        yield (
            f"{many(health.events_dropped, 'event')} dropped by writers: their disk was full, or"
            " the log directory was not writable"
        )


def _of_database(health: Health) -> Iterator[str]:
    free, lag = health.database_free_bytes, health.lag_bytes
    if lag and free is not None and free < _ROOM_FOR_A_BATCH:
        yield (
            f"the database is {size(lag)} behind the log, and its disk has only {size(free)}"
            " left: free some space; the log is not harmed"
        )
    if health.wal_bytes > WAL_LIMIT_BYTES:
        yield (
            f"the write-ahead log has grown to {size(health.wal_bytes)}, because a reader holds a"
            " transaction open: end that program's transaction"
        )
    if health.integrity and not health.integrity.ok:
        first = plain(health.integrity.problems[0])
        yield f"the database file is damaged ({first}): run `telemetry rebuild`"


def _of_forwarding(forwarding: Deliveries) -> Iterator[str]:
    yield from forwarding.problems
    for target in forwarding.targets:
        name, error = target.name, target.last_error
        if target.state == PAUSED and target.kind == CLICKHOUSE:
            yield (
                f"the centre {name} is paused ({error}): once that is done, run"
                " `telemetry forward retry`"
            )
        elif target.state == PAUSED:
            yield (
                f"{name} rejected our credentials ({error}): fix the token, then run"
                " `telemetry forward retry`"
            )
        elif target.state == DOWN and target.kind == CLICKHOUSE:
            yield f"the centre {name} is down ({error}): the log waits, retried automatically"
        elif target.state == DOWN:
            waiting = many(target.waiting, "run")
            yield f"{name} is down ({error}): {waiting} waiting, retried automatically"
        if target.dead:
            yield f"{name} rejected {many(target.dead, 'run')}: see `telemetry forward dead`"


def _of_alerts(alerts: AlertHealth) -> Iterator[str]:
    yield from alerts.problems
    for channel in alerts.channels:
        name, error = f"channel {channel.name}", channel.last_error
        if channel.state == PAUSED:
            yield (
                f"{name} rejected our credentials ({error}): fix them in config/telemetry.toml,"
                f" then run `telemetry alerts test {channel.name}`"
            )
        elif channel.state == DOWN:
            waiting = many(channel.waiting, "message")
            yield f"{name} is down ({error}): {waiting} waiting, retried automatically"
        if channel.rejected:
            yield (
                f"{name} rejected {many(channel.rejected, 'message')} within a week: see"
                " `telemetry alerts history`"
            )
    for fleet in alerts.fleets:
        if fleet.last_error:
            yield of_fleet(fleet)


def of_fleet(fleet: WatchHealth) -> str:
    """Say why rules on a fleet are not evaluated."""
    rules, since = plain(", ".join(fleet.rules)), str(fleet.error_since)[:19]
    return (
        f"alerts on the fleet {plain(fleet.name)} are not evaluated since {since}Z"
        f" ({fleet.last_error}): {rules}; retried automatically"
    )


def _low_disk(health: Health) -> str:
    free, days = health.growth.disk_free_bytes or 0, health.growth.disk_days_left
    left = "" if days is None else f", enough for {many(round(days), 'day')} at this rate"
    return f"the disk has {size(free)} left{left}: free some space, or move the base directory"


def _names(names: list[str]) -> str:
    """Return some names as the subject of a sentence about one or more files."""
    shown = ", ".join(map(plain, names[:_SHOWN]))
    more = f" and {count(len(names) - _SHOWN)} more" if len(names) > _SHOWN else ""
    return shown + more
