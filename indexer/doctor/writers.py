"""Check what agents recorded: order of events, names of fields, statuses."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress

import orjson

from indexer.doctor.finding import Finding, note, ok, warning
from indexer.doctor.open_database import open_without_trace
from indexer.doctor.subject import Subject
from indexer.importers.envelope import SOURCE as IMPORT_SOURCE
from indexer.receivers.events import SOURCE as RECEIVE_SOURCE
from telemetry_core.run_fields import RUN_FIELDS
from telemetry_core.spelling import nearest
from telemetry_core.status import ALIASES, STATUSES

_RUNS = 1_000
_EVENTS = 100_000
_SHOWN = 5
_RECENT = f"(SELECT run_id FROM agent_runs ORDER BY start_time DESC LIMIT {_RUNS})"
# Where times are equal, ids decide; so ids have to rise in the order of writing. Those of imported
# and received events are made from what they hold: their own fields say the order.
_IN_ORDER_OF_WRITING = (
    "SELECT run_id, source, timestamp, file_id, event_id FROM run_events"
    f" WHERE run_id IN {_RECENT} AND source NOT IN ('{IMPORT_SOURCE}', '{RECEIVE_SOURCE}')"
    f" ORDER BY run_id, source, timestamp, file_id, offset LIMIT {_EVENTS}"
)
_FIELDS = frozenset(field.name for field in RUN_FIELDS)


def check(subject: Subject) -> Iterator[Finding]:
    """Look at the newest thousand runs and their events."""
    path = subject.base.database_path
    if not path.is_file():
        return
    found: list[Finding] = []
    # A database that can't be read, or has another version, is reported by another check.
    with suppress(sqlite3.Error), closing(open_without_trace(path)) as connection:
        for checked in (_order, _fields, _statuses):
            found += checked(connection)
    yield from found or [ok("nothing unusual in the newest runs")]


def _order(connection: sqlite3.Connection) -> Iterator[Finding]:
    sources: dict[str, int] = {}
    last: tuple[object, ...] = ()
    last_id = ""
    for *key, event_id in connection.execute(_IN_ORDER_OF_WRITING):
        if tuple(key) == last and event_id < last_id:
            sources[str(key[1])] = sources.get(str(key[1]), 0) + 1
        last, last_id = tuple(key), event_id
    if sources:
        yield warning(
            f"events with equal times have ids that don't rise, so their order is lost:"
            f" {_list(list(sources))}",
            "let that writer use UUIDv7 ids, or distinct times: `telemetry docs format`",
        )


def _fields(connection: sqlite3.Connection) -> Iterator[Finding]:
    likely: dict[str, str] = {}
    rows = connection.execute(
        "SELECT context_json, metrics_json FROM agent_runs"
        f" WHERE run_id IN {_RECENT} AND (context_json IS NOT NULL OR metrics_json IS NOT NULL)"
    )
    for name in {name for row in rows for text in row for name in _names(text)}:
        meant = nearest(name, _FIELDS)
        if meant is not None and name not in _FIELDS:
            likely[name] = meant
    if likely:
        pairs = [f"{name} (did you mean {meant}?)" for name, meant in sorted(likely.items())]
        yield note(
            f"fields that are probably misspelled: {_list(pairs)}",
            "correct the agent; until then the values are in context_json or metrics_json",
        )


def _names(text: object) -> Iterator[str]:
    try:
        value = orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        return
    if isinstance(value, dict):
        yield from value


def _statuses(connection: sqlite3.Connection) -> Iterator[Finding]:
    likely = []
    for (status,) in connection.execute("SELECT DISTINCT status FROM agent_runs"):
        meant = nearest(str(status), [*STATUSES, *ALIASES])
        if meant is not None and status not in STATUSES:
            likely.append(f"{status} (did you mean {meant}?)")
    if likely:
        yield note(
            f"statuses that are probably misspelled: {_list(sorted(likely))}",
            "correct the agent: these runs count as neither successful nor failed",
        )


def _list(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
