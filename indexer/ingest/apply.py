"""Update the rows of runs with events that were just stored.

Where fold and store meet: called inside the transactions of an ingest pass and of prune. A row is
folded further where that is possible, and otherwise folded again from all its events.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple, Optional

from indexer.ingest.fold import (
    ACTIVITY,
    ACTIVITY_COLUMNS,
    CHANGES,
    Activity,
    add_activity,
    continues,
    fold,
)
from indexer.ingest.foreign import WholeRun
from indexer.ingest.projections.projector import TYPES as PROJECTED
from indexer.ingest.projections.projector import Projector, runs_to_fold_again
from indexer.ingest.run_row import RunRow
from indexer.store.events.codec import (
    EVENT_ID,
    RUN_ID,
    TIMESTAMP,
    TYPE,
    EventRow,
    event_of_row,
)
from indexer.store.events.deduplication import StoreResult
from indexer.store.events.table import ActivityRow, activities, changes
from indexer.store.runs import delete_runs, load_runs, save_runs, update_runs

_PLACE = itemgetter(TIMESTAMP, EVENT_ID)
"""Of an event among its run's, as the fold takes them."""


def fold_into_rows(connection: sqlite3.Connection, stored: StoreResult) -> None:
    """Fold the new events into the rows of their runs, or fold those again where that is due."""
    again = stored.refold | runs_to_fold_again(connection, stored)
    active, changing = _sort_out(stored.new, again)
    projector = Projector(connection)
    save_runs(connection, _folded_on(connection, active, changing))
    save_runs(connection, _fold_again(connection, sorted(again), projector))
    projector.add(row for row in stored.new_of(PROJECTED) if row[RUN_ID] not in again)
    projector.settle()


def _folded_on(
    connection: sqlite3.Connection,
    active: dict[str, Activity],
    changing: dict[str, list[EventRow]],
) -> Iterator[RunRow]:
    """Yield the rows of runs with new events, but for those of which nothing but activity is new.

    One at a time: a row has many columns, and the memory of the one before is still at hand.
    """
    known = load_runs(connection, changing)
    for run_id, rows in changing.items():
        row = _fold_further(known.get(run_id), rows, active.pop(run_id, None))
        row = row if row is not None else _fold_from_first(connection, run_id).row
        if row is not None:
            yield row
    yield from _add_activities(connection, active)


def refold_runs(connection: sqlite3.Connection, run_ids: Collection[str]) -> None:
    """Fold the rows of runs again from the stored events; a run without events has no row."""
    delete_runs(connection, run_ids)
    projector = Projector(connection)
    save_runs(connection, _fold_again(connection, run_ids, projector))
    projector.settle()


class FoldedRun(NamedTuple):
    """A run as its stored events tell it."""

    row: Optional[RunRow]
    """What they fold to; None if only events of unknown types are known of it."""
    whole: WholeRun
    """Its events other than `run.event`s."""


def fold_all(connection: sqlite3.Connection) -> Iterator[FoldedRun]:
    """Yield what the stored events fold to, by run; each is read once."""
    by_run = groupby(changes(connection), lambda event: event.run_id)
    changed = (WholeRun(run_id, events) for run_id, events in by_run)
    for whole, active in _by_run(changed, activities(connection)):
        yield _folded(whole, active)


def _by_run(
    changed: Iterator[WholeRun], active: Iterator[ActivityRow]
) -> Iterator[tuple[WholeRun, Optional[ActivityRow]]]:
    """Yield what there is of each run; both are sorted by run."""
    one = next(active, None)
    for whole in changed:
        while one is not None and one.run_id < whole.run_id:
            yield WholeRun(one.run_id, ()), one
            one = next(active, None)
        if one is None or one.run_id != whole.run_id:
            yield whole, None
            continue
        yield whole, one
        one = next(active, None)
    while one is not None:
        yield WholeRun(one.run_id, ()), one
        one = next(active, None)


def _folded(whole: WholeRun, active: Optional[ActivityRow]) -> FoldedRun:
    row = whole.row()
    if active is not None:
        activity = Activity(active.events, active.first_time, active.last)
        row = add_activity(row, whole.run_id, activity)
    return FoldedRun(row, whole)


def _fold_from_first(connection: sqlite3.Connection, run_id: str) -> FoldedRun:
    whole = WholeRun(run_id, changes(connection, run_id))
    return _folded(whole, next(activities(connection, run_id), None))


def _fold_again(
    connection: sqlite3.Connection, run_ids: Iterable[str], projector: Projector
) -> Iterator[RunRow]:
    """Yield the rows of runs folded from their first events, and feed them to the projections."""
    for run_id in run_ids:
        row, whole = _fold_from_first(connection, run_id)
        projector.replace(whole)
        if row is not None:
            yield row


def _sort_out(
    new: Iterable[EventRow], refold: Collection[str]
) -> tuple[dict[str, Activity], dict[str, list[EventRow]]]:
    """Return the activity of each run, and the events that change its row."""
    seen: dict[str, list[tuple[str, str]]] = defaultdict(list)
    changing: dict[str, list[EventRow]] = defaultdict(list)
    # Nearly all rows of a run come one after the other.
    for run_id, rows in groupby(new, itemgetter(RUN_ID)):
        if run_id in refold:
            continue
        moments, changed = seen[run_id], changing[run_id]
        for row in rows:
            kind = row[TYPE]
            if kind in ACTIVITY:
                moments.append(_PLACE(row))
            elif kind in CHANGES:
                changed.append(row)
    active = {
        run_id: Activity(len(moments), min(moments)[0], max(moments))
        for run_id, moments in seen.items()
        if moments
    }
    return active, {run_id: rows for run_id, rows in changing.items() if rows}


def _fold_further(
    row: Optional[RunRow], rows: Optional[list[EventRow]], activity: Optional[Activity]
) -> Optional[RunRow]:
    """Return `row` with new events folded in; None if they have to be folded from the first."""
    if not rows:
        return None
    events = [event_of_row(one) for one in sorted(rows, key=_PLACE)]
    if row is not None and not all(continues(row, event) for event in events):
        return None
    row = fold(row, events)
    return row if row is None or activity is None else add_activity(row, row["run_id"], activity)


def _add_activities(connection: sqlite3.Connection, active: dict[str, Activity]) -> list[RunRow]:
    """Write the activity of runs that nothing else changed; return the rows still to be saved."""
    known = load_runs(connection, active, ACTIVITY_COLUMNS)
    rows = [add_activity(known.get(run_id), run_id, one) for run_id, one in active.items()]
    update_runs(connection, (row for row in rows if row["run_id"] in known), ACTIVITY_COLUMNS)
    return [row for row in rows if row["run_id"] not in known]
