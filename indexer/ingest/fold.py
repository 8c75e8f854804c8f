"""The fold: events in order to a row of `agent_runs`.

Called by the ingest pass and by verify. Pure: no I/O, no clock, no knowledge of the store. The
row is a function of the set of a run's events, sorted by (time, id), and is itself the state:
folding more events onto a row gives what folding all of them at once would.

Starts fill what is empty, updates and ends overwrite, and a null does neither. So neither a
late start nor a clock that was set back can reopen a run or take a number from it. An agent's
own events say only that the run lives: in whichever order they come, and however late, the row
is the same, so they need not be looked at one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any, Callable, NamedTuple, Optional

import orjson

from indexer.store.schema.columns import RUN_COLUMNS
from telemetry_core.event import (
    API_TARGET,
    RUN_DELIVERED,
    RUN_DELIVERY_FAILED,
    RUN_ENDED,
    RUN_EVENT,
    RUN_STARTED,
    RUN_UPDATED,
    Event,
)
from telemetry_core.fields import RUN_FIELDS, SCHEMA_VERSION
from telemetry_core.status import RUNNING, SUCCESS, normalise_status
from telemetry_core.timestamp import canonical_time, format_time, milliseconds_between

RunRow = dict[str, Any]

_KINDS = {field.name: field.kind for field in RUN_FIELDS}
_ENDING_FIELDS = ("end_time", "duration_ms")
_SPAN = ("start_time", "end_time")
# Seconds since 1970 in the years 1973 to 5138: agents that give a number give this one.
_EPOCH_SECONDS = (10**8, 10**11)
_INT64 = range(-(2**63), 2**63)
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)


ACTIVITY_COLUMNS = ("run_id", "event_count", "created_at", "last_event_time", "last_event_id")
"""The columns by which a row knows of its events, whatever they say."""


class Activity(NamedTuple):
    """What some of a run's own events, the `run.event`s, come to."""

    events: int
    first_time: str
    last: tuple[str, str]
    """Time and id of the last of them."""


def fold(row: Optional[RunRow], events: Iterable[Event]) -> Optional[RunRow]:
    """Return `row` with `events` folded in; the row is changed in place.

    The events are one run's, sorted by (time, id), and the row goes on with them, as `continues`
    says. None for no row: that is what a run has of which only events of unknown types are known.
    """
    for event in events:
        apply = _APPLY.get(event.type)
        if apply is None:
            continue
        if row is None:
            row = _new_row(event.run_id, event.time)
        _witness(row, 1, event.time, (event.time, event.id))
        apply(row, event)
    return row


def add_activity(row: Optional[RunRow], run_id: str, activity: Activity) -> RunRow:
    """Return the row of `run_id` with its own events folded in, given all at once.

    Of a row that is there, nothing but `ACTIVITY_COLUMNS` is needed.
    """
    if row is None:
        row = _new_row(run_id, activity.first_time)
    _witness(row, *activity)
    return row


def continues(row: RunRow, event: Event) -> bool:
    """Whether `event` may be folded onto `row`, which holds others of its run.

    What changes a row has to come after what changed it; all else may come at any time.
    """
    changed = row["updated_at"]
    return event.type not in _REVISING or changed is None or event.time > changed


def _witness(row: RunRow, events: int, first_time: str, last: tuple[str, str]) -> None:
    """Have the row know of events, whatever they say."""
    row["event_count"] += events
    row["created_at"] = min(row["created_at"], first_time)
    row["last_event_time"], row["last_event_id"] = max(
        (row["last_event_time"], row["last_event_id"]), last
    )


def _new_row(run_id: str, time: str) -> RunRow:
    row = dict.fromkeys(RUN_COLUMNS)
    row.update(
        run_id=run_id,
        schema_version=SCHEMA_VERSION,
        event_count=0,
        last_event_time="",
        last_event_id="",
        revision=0,
        api_posted=0,
        api_posted_revision=0,
        api_retry_count=0,
        created_at=time,
    )
    return row


def _apply_event(_row: RunRow, _event: Event) -> None:
    """An event of the agent's own says nothing about the run but that it lives."""


def _apply_started(row: RunRow, event: Event) -> None:
    _revise(row, event)
    data = _object(event)
    if row["source"] is None:
        row["source"] = event.source
        row["process_start"] = _text((event.extensions or {}).get("processstart"))
    if row["status"] is None:
        row["status"] = normalise_status(_text(data.get("status")) or RUNNING)
    if row["start_time"] is None:
        row["start_time"] = _time(data.get("start_time")) or event.time
    _set_fields(row, data, overwrite=False)


def _apply_updated(row: RunRow, event: Event) -> None:
    _revise(row, event)
    data = _object(event)
    status = _text(data.get("status"))
    if status is not None:
        row["status"] = normalise_status(status)
    _set_fields(row, data, overwrite=True)


def _apply_ended(row: RunRow, event: Event) -> None:
    _revise(row, event)
    data = _object(event)
    row["status"] = normalise_status(_text(data.get("status")) or SUCCESS)
    row["end_time"] = _time(data.get("end_time")) or event.time
    _set_fields(row, data, overwrite=True)
    if data.get("duration_ms") is None:
        row["duration_ms"] = _duration(row["start_time"], row["end_time"])


def _apply_delivered(row: RunRow, event: Event) -> None:
    if not _is_of_api(event):
        return
    revision = _object(event).get("revision")
    # True is an int to Python and no number to JSON; what is beyond SQLite's range it can't store.
    if type(revision) is int and row["api_posted_revision"] <= revision < 2**63 and revision > 0:
        known = row["api_posted_at"] if revision == row["api_posted_revision"] else None
        row["api_posted_revision"] = revision
        # Receipts may come in any order: the first one of a revision tells when it was posted.
        row["api_posted_at"] = min(known or event.time, event.time)
    _compare_revisions(row)


def _apply_delivery_failed(row: RunRow, event: Event) -> None:
    if _is_of_api(event):
        row["api_retry_count"] += 1


def _is_of_api(event: Event) -> bool:
    """Whether a receipt is of the target that the api columns speak of; one of none is."""
    return bool(_object(event).get("target", API_TARGET) == API_TARGET)


_REVISING = frozenset((RUN_STARTED, RUN_UPDATED, RUN_ENDED))
_APPLY: dict[str, Callable[[RunRow, Event], None]] = {
    RUN_STARTED: _apply_started,
    RUN_EVENT: _apply_event,
    RUN_UPDATED: _apply_updated,
    RUN_ENDED: _apply_ended,
    RUN_DELIVERED: _apply_delivered,
    RUN_DELIVERY_FAILED: _apply_delivery_failed,
}

CHANGES = frozenset(_APPLY) - {RUN_EVENT}
"""The types of events that `fold` has to see one by one; other than these and `run.event` none
has a say in a row."""


def _revise(row: RunRow, event: Event) -> None:
    """Count an event that can change what a receiver would be told."""
    row["revision"] += 1
    row["updated_at"] = event.time
    _compare_revisions(row)


def _compare_revisions(row: RunRow) -> None:
    row["api_posted"] = int(row["api_posted_revision"] >= row["revision"] > 0)


def _set_fields(row: RunRow, data: dict[str, Any], *, overwrite: bool) -> None:
    unknown = {}
    running = row["status"] == RUNNING
    for name, value in data.items():
        if value is None or name == "status":
            continue
        kind = _KINDS.get(name)
        if kind is None:
            unknown[name] = value
        elif name == "context_json":
            unknown.update(_context(value))
        elif name in _ENDING_FIELDS and running:
            continue
        elif name in _SPAN and _time(value) is None:
            # Views sort and group by these: what is no time is kept, but not as one.
            unknown[name] = value
        elif overwrite or row[name] is None:
            row[name] = _NORMALISE[kind](value)
    if unknown:
        _keep_unknown(row, unknown, overwrite=overwrite)


def _keep_unknown(row: RunRow, unknown: dict[str, Any], *, overwrite: bool) -> None:
    known = orjson.loads(row["context_json"]) if row["context_json"] else {}
    merged = {**known, **unknown} if overwrite else {**unknown, **known}
    row["context_json"] = orjson.dumps(merged, option=orjson.OPT_SORT_KEYS).decode()


def _context(value: Any) -> dict[str, Any]:
    """A context is an object, or JSON text of one; anything else is kept under a name."""
    if isinstance(value, str):
        try:
            parsed = orjson.loads(value)
            # It may nest deeper than it can be written again; then it stays the text it is.
            orjson.dumps({"context": parsed})
            value = parsed
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            pass
    return value if isinstance(value, dict) else {"context": value}


def _duration(start: Optional[str], end: str) -> Optional[int]:
    """What the clock on the wall makes of it, where nobody measured; None if that is absurd."""
    duration = milliseconds_between(start, end) if start else -1
    return duration if duration >= 0 else None


def _object(event: Event) -> dict[str, Any]:
    return event.data if isinstance(event.data, dict) else {}


def _text(value: Any) -> Optional[str]:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def _time(value: Any) -> Optional[str]:
    """A time in its canonical spelling, None for what is none."""
    if isinstance(value, (int, float)) and _EPOCH_SECONDS[0] <= value < _EPOCH_SECONDS[1]:
        return format_time(datetime.fromtimestamp(value, timezone.utc))
    try:
        return canonical_time(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _time_or_text(value: Any) -> Optional[str]:
    return _time(value) or _text(value)


def _integer(value: Any) -> Any:
    """A whole number where it is one, in SQLite's range; what is not is kept as it came."""
    if isinstance(value, int):
        return int(value) if value in _INT64 else str(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    text = _text(value)
    return int(text) if text and _WHOLE_NUMBER.fullmatch(text) else text


_NORMALISE: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "time": _time_or_text,
    "integer": _integer,
    "json": _text,
}
