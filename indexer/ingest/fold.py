"""Fold a run's events, in order, into its row of `agent_runs`.

Pure: no I/O, no clock, no knowledge of the store. The row is a function of the set of a run's
events, sorted by (time, id), and is itself the state: folding more events onto a row gives the
same as folding all of them at once.

Starts fill what is empty, updates and ends overwrite, and a null does neither. So neither a late
start nor a clock that was set back can reopen a run or take a number from it. An agent's own
events only show that the run lives: in whichever order they come, and however late, the row is
the same, so they need not be looked at one by one; nor need its spans. Counters add to the value
that is there when their turn comes, and metrics are merged by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable, NamedTuple, Optional

from indexer.ingest.api_columns import (
    apply_delivered,
    apply_delivery_failed,
    compare_revisions,
    data_of,
)
from indexer.ingest.run_row import (
    ENDING_FIELDS,
    KINDS,
    START_AND_END,
    RunRow,
    merge_metrics,
    metrics_of,
    set_fields,
)
from indexer.ingest.values import (
    is_number,
    status_of,
    sum_of,
    text_of,
    time_of,
)
from indexer.store.schema.columns import RUN_COLUMNS
from telemetry_core.event import (
    RUN_DELIVERED,
    RUN_DELIVERY_FAILED,
    RUN_ENDED,
    RUN_EVENT,
    RUN_INCREMENTED,
    RUN_METRICS,
    RUN_STARTED,
    RUN_UPDATED,
    SPAN_ENDED,
    SPAN_STARTED,
    Event,
)
from telemetry_core.run_fields import SCHEMA_VERSION
from telemetry_core.status import RUNNING, SUCCESS
from telemetry_core.timestamp import milliseconds_between

ACTIVITY_COLUMNS = ("run_id", "event_count", "created_at", "last_event_time", "last_event_id")
"""The columns by which a row knows of its events, whatever they say."""


class Activity(NamedTuple):
    """What some of a run's own events, its `run.event`s and its spans, come to."""

    events: int
    first_time: str
    last: tuple[str, str]
    """Time and id of the last of them."""


def fold(row: Optional[RunRow], events: Iterable[Event]) -> Optional[RunRow]:
    """Return `row` with `events` folded in; the row is changed in place.

    The events are one run's, sorted by (time, id), and the row goes on with them, as `continues`
    says. None for no row: that is what a run has of which only events of unknown types are known.
    """
    seen: list[Event] = []
    for event in events:
        apply = _APPLY.get(event.type)
        if apply is None:
            continue
        if row is None:
            row = _new_row(event.run_id, event.time)
        apply(row, event)
        seen.append(event)
    if row is not None and seen:
        _count(row, seen)
        compare_revisions(row)
    return row


def _count(row: RunRow, events: list[Event]) -> None:
    """Have the row know of events that were folded into it, of which there is at least one."""
    row["created_at"] = min(row["created_at"], events[0].time)
    own = [event for event in events if event.type not in _BY_INDEXER]
    if own:
        last = own[-1]
        _witness(row, len(own), own[0].time, (last.time, last.id))


def add_activity(row: Optional[RunRow], run_id: str, activity: Activity) -> RunRow:
    """Return the row of `run_id` with its own events folded in, given all at once.

    Of a row that is there, nothing but `ACTIVITY_COLUMNS` is needed.
    """
    if row is None:
        row = _new_row(run_id, activity.first_time)
    _witness(row, *activity)
    return row


def add_revisions(row: RunRow, events: int, last_time: str) -> None:
    """Have the row count events, the last of them at `last_time`, as changes of what it says."""
    row["revision"] += events
    row["updated_at"] = max(row["updated_at"] or "", last_time)
    compare_revisions(row)


def continues(row: RunRow, event: Event) -> bool:
    """Whether `event` may be folded onto `row`, which holds others of its run.

    What changes a row has to come after what changed it; all else may come at any time.
    """
    if row["foreign_events"]:
        # Other programs' records only fill what is empty once all else has been said.
        return False
    changed = row["updated_at"]
    return event.type not in _REVISING or changed is None or event.time > changed


def _witness(row: RunRow, events: int, first_time: str, last: tuple[str, str]) -> None:
    """Have the row know of events, whatever they say."""
    row["event_count"] += events
    row["created_at"] = min(row["created_at"], first_time)
    row["last_event_time"], row["last_event_id"] = max(
        (row["last_event_time"], row["last_event_id"]), last
    )


_NO_EVENTS: RunRow = {
    **dict.fromkeys(RUN_COLUMNS),
    "schema_version": SCHEMA_VERSION,
    "event_count": 0,
    "last_event_time": "",
    "last_event_id": "",
    "revision": 0,
    "api_posted": 0,
    "api_posted_revision": 0,
    "api_retry_count": 0,
}
"""A row that knows of no event yet."""


def _new_row(run_id: str, time: str) -> RunRow:
    row = _NO_EVENTS.copy()
    row["run_id"], row["created_at"] = run_id, time
    return row


def _apply_event(_row: RunRow, _event: Event) -> None:
    """An event of the agent's own says nothing about the run but that it lives."""


def _apply_started(row: RunRow, event: Event) -> None:
    _revise(row, event)
    data = data_of(event)
    if row["source"] is None:
        row["source"] = event.source
        if event.extensions is not None:
            row["process_start"] = text_of(event.extensions.get("processstart"))
    if row["status"] is None:
        row["status"] = status_of(data.get("status")) or RUNNING
    if row["start_time"] is None:
        row["start_time"] = time_of(data.get("start_time")) or event.time
    set_fields(row, data, overwrite=False)


def _apply_updated(row: RunRow, event: Event) -> None:
    _revise(row, event)
    data = data_of(event)
    status = status_of(data.get("status"))
    if status is not None:
        row["status"] = status
    set_fields(row, data, overwrite=True)
    end_time: Optional[str] = row["end_time"]
    if (
        row["status"] != RUNNING
        and end_time is not None
        and data.get("duration_ms") is None
        and any(data.get(name) for name in START_AND_END)
    ):
        row["duration_ms"] = _duration(row["start_time"], end_time)


def _apply_ended(row: RunRow, event: Event) -> None:
    _revise(row, event)
    data = data_of(event)
    row["status"] = status_of(data.get("status")) or SUCCESS
    row["end_time"] = time_of(data.get("end_time")) or event.time
    set_fields(row, data, overwrite=True)
    if data.get("duration_ms") is None:
        row["duration_ms"] = _duration(row["start_time"], row["end_time"])


def _apply_incremented(row: RunRow, event: Event) -> None:
    _revise(row, event)
    sums = {}
    metrics = metrics_of(row)
    for name, value in data_of(event).items():
        if not is_number(value) or name in ENDING_FIELDS:
            continue
        kind = KINDS.get(name)
        if kind == "integer":
            row[name] = sum_of(row[name], value)
        elif kind is None:
            sums[name] = sum_of(metrics.get(name), value)
    if sums:
        merge_metrics(row, sums, overwrite=True)


def _apply_metrics(row: RunRow, event: Event) -> None:
    _revise(row, event)
    metrics = data_of(event).get("metrics")
    if isinstance(metrics, dict):
        numbers = {name: value for name, value in metrics.items() if is_number(value)}
        merge_metrics(row, numbers, overwrite=True)


_BY_INDEXER = frozenset((RUN_DELIVERED, RUN_DELIVERY_FAILED))
"""Written by the indexer: they count as nothing that the agent did."""

_REVISING = frozenset((RUN_STARTED, RUN_UPDATED, RUN_INCREMENTED, RUN_METRICS, RUN_ENDED))
_APPLY: dict[str, Callable[[RunRow, Event], None]] = {
    RUN_STARTED: _apply_started,
    RUN_EVENT: _apply_event,
    SPAN_STARTED: _apply_event,
    SPAN_ENDED: _apply_event,
    RUN_INCREMENTED: _apply_incremented,
    RUN_METRICS: _apply_metrics,
    RUN_UPDATED: _apply_updated,
    RUN_ENDED: _apply_ended,
    RUN_DELIVERED: apply_delivered,
    RUN_DELIVERY_FAILED: apply_delivery_failed,
}

ACTIVITY = frozenset((RUN_EVENT, SPAN_STARTED, SPAN_ENDED))
"""The types of events that only say that their run lives."""

CHANGES = frozenset(_APPLY) - ACTIVITY
"""The types of events that `fold` has to see one by one; other than these and `ACTIVITY` none has
a say in a row."""


def _revise(row: RunRow, event: Event) -> None:
    """Count an event that can change what a receiver would be sent."""
    row["revision"] += 1
    row["updated_at"] = event.time


def _duration(start: Optional[str], end: str) -> Optional[int]:
    """Return the wall-clock duration, where none was measured; None if it is negative."""
    duration = milliseconds_between(start, end) if start else -1
    return duration if duration >= 0 else None
