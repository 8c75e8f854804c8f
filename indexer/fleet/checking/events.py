"""Compare the events of this host's runs with the centre's: each of ours has to be there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from indexer.fleet.checking.finding import DIFFERS, NOT_SHIPPED, Findings
from indexer.fleet.checking.sums import EVENT_SUM, NOTHING, Sum, event_sum
from indexer.fleet.schema.layout import in_list, text
from indexer.fleet.schema.tables import EVENT_ROWS
from indexer.fleet.shipping.content import Withholding
from indexer.fleet.shipping.events import event_columns
from indexer.fleet.shipping.segment_id import SegmentId
from indexer.fleet.wire.client import FleetClient
from indexer.fleet.wire.native import Row
from indexer.store.schema.tables import EVENT_COLUMNS

_NOWHERE = SegmentId(0, "")
_EVENTS_AT_ONCE = 1_000


class Event(NamedTuple):
    """One event as it is shipped."""

    run_id: str
    event_id: str
    total: int
    """Its check sum."""
    is_kept: bool
    """Whether its segment is here, and the centre keeps its day."""


class Compared(NamedTuple):
    """What a comparison of events says of the rows that are made of them."""

    run_ids: list[str]
    """Runs of which the centre has all events that this host has."""
    whole: set[str]
    """Runs of which this host and the centre keep all events that this host has seen."""


class EventCheck:
    """Compares events, some runs at a time."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        client: FleetClient,
        withholding: Withholding,
        kept_files: frozenset[int],
    ) -> None:
        self._connection = connection
        self._client = client
        self._withholding = withholding
        self._kept_files = kept_files

    def compare(self, run_ids: Sequence[str], findings: Findings) -> Compared:
        """Compare the events of some runs."""
        there = self._sums(run_ids)
        here = dict.fromkeys(run_ids, NOTHING)
        whole = set(run_ids)
        for event in self._events(run_ids):
            findings.events += 1
            if not event.is_kept:
                whole.discard(event.run_id)
                continue
            known = here[event.run_id]
            here[event.run_id] = Sum(known.rows + 1, known.total + event.total)
        unequal = {
            run_id
            for run_id in run_ids
            if here[run_id] != there.get(run_id, NOTHING)
            and not self._compare_each(run_id, findings)
        }
        return Compared([run_id for run_id in run_ids if run_id not in unequal], whole)

    def _sums(self, run_ids: Sequence[str]) -> dict[str, Sum]:
        _, rows = self._client.select(
            f"SELECT run_id, count(), sum({EVENT_SUM}) FROM {EVENT_ROWS} FINAL"
            f" WHERE run_id IN ({in_list(run_ids)}) GROUP BY run_id"
        )
        return {row[0]: Sum(int(row[1]), int(row[2])) for row in rows}

    def _compare_each(self, run_id: str, findings: Findings) -> bool:
        """Return whether all of our events are there, whatever others have of the run."""
        _, rows = self._client.select(
            f"SELECT event_id, {EVENT_SUM} FROM {EVENT_ROWS} FINAL WHERE run_id = {text(run_id)}"
        )
        there = {(row[0], int(row[1])) for row in rows}
        ids = {event_id for event_id, _ in there}
        missing = changed = 0
        for event in self._events([run_id]):
            if event.is_kept and (event.event_id, event.total) not in there:
                missing += event.event_id not in ids
                changed += event.event_id in ids
        if changed:
            findings.add(DIFFERS, f"run {run_id}", f"{changed} events are not there as they are")
        if missing:
            findings.add(NOT_SHIPPED, f"run {run_id}", f"{missing} events are not there")
        return not missing and not changed

    def _events(self, run_ids: Sequence[str]) -> Iterator[Event]:
        names, marks = ", ".join(EVENT_COLUMNS), ", ".join("?" * len(run_ids))
        stored = self._connection.execute(
            f"SELECT {names} FROM run_events WHERE run_id IN ({marks})", run_ids
        )
        while some := stored.fetchmany(_EVENTS_AT_ONCE):
            for shipped in zip(*event_columns(some, "", _NOWHERE, self._withholding)):
                yield self._event(shipped)

    def _event(self, shipped: Row) -> Event:
        run_id, event_id, mark, file = shipped[0], shipped[1], f"~{shipped[3]}", shipped[10]
        if event_id.endswith(mark):
            # Stored under another id, since a different event has its own.
            event_id = event_id[: -len(mark)]
            shipped = (run_id, event_id, *shipped[2:])
        return Event(run_id, event_id, event_sum(shipped), file in self._kept_files)
