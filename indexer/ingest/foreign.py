"""Fold the row of a run that other programs' records describe.

OpenTelemetry's spans and the lines of coding agents' sessions have no `run.started`; what they
say of their run fills what its own events left empty. Pure, as the fold is.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Optional

import orjson

from indexer.ingest.fold import Activity, add_activity, add_revisions, fold
from indexer.ingest.run_row import RunRow
from indexer.semantics.event_types import FOREIGN_EVENTS
from telemetry_core.event import Event
from telemetry_core.status import RUNNING
from telemetry_core.timestamp import milliseconds_between

if TYPE_CHECKING:
    from indexer.semantics.facts import RunFacts
    from indexer.semantics.translate import Translated

_FILLED = (
    "agent_name",
    "job_type",
    "status",
    "start_time",
    "error_summary",
    "host",
    "git_branch",
    "parent_run_id",
)


class WholeRun:
    """All events of one run but its `run.event`s, sorted, and what they come to."""

    def __init__(self, run_id: str, events: Iterable[Event]) -> None:
        self.run_id = run_id
        self.events = list(events)

    @cached_property
    def translated(self) -> Translated:
        """What the events say of spans, and of the run if it is a foreign one."""
        # Imported here: a pass over runs without spans needs no translators.
        from indexer.semantics.translate import translate

        return translate(self.events)

    def row(self) -> Optional[RunRow]:
        """Return the row that the events come to; None if they come to none."""
        row = fold(None, self.events)
        foreign = [event for event in self.events if event.type in FOREIGN_EVENTS]
        return _add_foreign(row, foreign, self.translated.run) if foreign else row


def _add_foreign(
    row: Optional[RunRow], events: list[Event], facts: Optional[RunFacts]
) -> Optional[RunRow]:
    """Return the row with foreign events added, of which there is at least one."""
    if facts is None:
        return row
    last = max((event.time, event.id) for event in events)
    activity = Activity(len(events), min(event.time for event in events), last)
    row = add_activity(row, events[0].run_id, activity)
    add_revisions(row, len(events), last[0])
    row["foreign_events"] = len(events)
    for name in _FILLED:
        if row[name] is None:
            row[name] = getattr(facts, name)
    _fill_end(row, facts)
    if facts.context:
        known = orjson.loads(row["context_json"]) if row["context_json"] else {}
        merged: dict[str, Any] = {**facts.context, **known}
        row["context_json"] = orjson.dumps(merged, option=orjson.OPT_SORT_KEYS).decode()
    return row


def _fill_end(row: RunRow, facts: RunFacts) -> None:
    if row["status"] == RUNNING or row["end_time"] is not None:
        return
    row["end_time"] = facts.end_time
    if row["duration_ms"] is None and row["start_time"] and facts.end_time:
        duration = milliseconds_between(row["start_time"], facts.end_time)
        row["duration_ms"] = duration if duration >= 0 else None
