"""Fold runs from the events of all hosts that have some, with the fold that every host uses.

The events come from the centre into a database in memory, by the same code that indexes a log.
Where a run's events agree on their ids, its own events are counted there rather than read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

from indexer.database.pricing.calls import price_calls
from indexer.fleet.schema.layout import in_list
from indexer.fleet.schema.tables import EVENT_ROWS
from indexer.fleet.shipping.question import RELEVANT, Known, chunks
from indexer.fleet.wire.client import FleetClient
from indexer.ingest.apply import fold_into_rows
from indexer.ingest.fold import Activity, add_activity
from indexer.store.connection import transaction
from indexer.store.cursors import NO_FILE
from indexer.store.events.codec import EventRow
from indexer.store.events.deduplication import store_events
from indexer.store.runs import load_runs, save_runs
from indexer.store.schema.memory import database_in_memory
from indexer.system.base import Base
from telemetry_core.event import RUN_EVENT

_SAID = "run_id, event_id, event_type, timestamp, type, source, payload_json, extra_json"
_RUNS_AT_ONCE = 100


class Union(NamedTuple):
    """Runs folded from all hosts' events."""

    connection: sqlite3.Connection
    run_ids: Sequence[str]
    events: Mapping[str, int]
    """From how many events each run was made."""


def unions(client: FleetClient, base: Base, runs: Mapping[str, Known]) -> Iterator[Union]:
    """Yield some of the runs at a time, folded; each is gone when the next is asked for.

    Raises FleetError.
    """
    for some in chunks(runs, _RUNS_AT_ONCE):
        with _folded(client, base, {run_id: runs[run_id] for run_id in some}) as union:
            yield union


@contextmanager
def _folded(client: FleetClient, base: Base, runs: Mapping[str, Known]) -> Iterator[Union]:
    with closing(database_in_memory()) as connection:
        disputed = [run_id for run_id, known in runs.items() if known.is_disputed]
        agreed = [run_id for run_id, known in runs.items() if not known.is_disputed]
        counts = dict.fromkeys(runs, 0)
        said = _events(client, disputed, "true", counts)
        said += _events(client, agreed, f"type <> '{RUN_EVENT}'", counts)
        # Segments of two hosts have one name: only numbers tell what is at the same place in both.
        rows: list[EventRow] = [(*one, NO_FILE, number, 0) for number, one in enumerate(said)]
        active = _activities(client, agreed, counts)
        with transaction(connection):
            stored = store_events(connection, rows)
            fold_into_rows(connection, stored)
            known = load_runs(connection, active)
            added = [add_activity(known.get(run), run, one) for run, one in active.items()]
            save_runs(connection, added)
        price_calls(connection, base.directory)
        yield Union(connection, list(runs), counts)


def _events(
    client: FleetClient, run_ids: list[str], which: str, counts: dict[str, int]
) -> list[tuple[str, ...]]:
    """Return what events of runs say; those that have a say in rows are added to the counts."""
    if not run_ids:
        return []
    _, rows = client.select(
        f"SELECT {_SAID}, mark, {RELEVANT} FROM {EVENT_ROWS} FINAL"
        f" WHERE run_id IN ({in_list(run_ids)}) AND {which}"
    )
    for run_id, _, _ in {(row[0], row[1], row[-2]) for row in rows if row[-1]}:
        counts[run_id] += 1
    return [tuple(row[:-2]) for row in rows]


def _activities(
    client: FleetClient, run_ids: list[str], counts: dict[str, int]
) -> dict[str, Activity]:
    if not run_ids:
        return {}
    _, rows = client.select(
        "SELECT run_id, count(), min(timestamp), max((timestamp, event_id))"
        f" FROM {EVENT_ROWS} FINAL WHERE run_id IN ({in_list(run_ids)})"
        f" AND type = '{RUN_EVENT}' GROUP BY run_id"
    )
    active: dict[str, Activity] = {}
    for run_id, events, first, last in rows:
        counts[run_id] += int(events)
        active[run_id] = Activity(int(events), first, (last[0], last[1]))
    return active
