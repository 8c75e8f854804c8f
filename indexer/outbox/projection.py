"""Queue what is due: which runs go to which targets, kept in the outbox.

Called inside the transaction that folded the runs, and after a pass that read the whole log. A run
is due when it has ended, and again with each later revision, at each target that started before
that revision and wants it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Callable, NamedTuple

from indexer.outbox import queue
from indexer.outbox.delivery_state import NOT_SENT, DeliveryState, delivery_states
from indexer.outbox.payload import key_of, payload_of
from indexer.outbox.queue import NewParcel, QueuedRevision
from indexer.outbox.target import OTLP, Target
from indexer.outbox.target_events import target_starts
from indexer.store.connection import transaction
from indexer.store.events.codec import RUN_ID, TYPE
from indexer.store.events.deduplication import StoreResult
from indexer.store.runs import load_runs
from indexer.store.spans.table import SpanRow, spans_of
from indexer.store.status import queued_for, set_queued_for
from telemetry_core.event import RUN_EVENT

# SQLite takes 999 parameters in its oldest builds.
_CHUNK = 500


class _Run(NamedTuple):
    run_id: str
    revision: int
    has_ended: int
    updated_at: str
    agent_name: object
    status: object


class OutboxProjection:
    """The outbox of one database, for some targets.

    `settings` of the database name the targets and starts for which the outbox is complete. A
    process that knows other targets clears that note when it folds, and so does a first pass over
    a whole log: half a log gives revisions that later receipts settle. Then `catch_up` queues
    what is missing, once the log has been read to its end.
    """

    def __init__(self, connection: sqlite3.Connection, targets: Collection[Target]) -> None:
        self._connection = connection
        self._targets = targets

    def update(self, stored: StoreResult) -> None:
        """Queue what events made due whose runs' rows were just written."""
        if not self._targets or not self.is_complete():
            set_queued_for(self._connection, None)
            return
        # An agent's own events make no revision.
        changed = {row[RUN_ID] for row in stored.new if row[TYPE] != RUN_EVENT}
        starts = target_starts(self._connection)
        for chunk in _chunks(changed | stored.refold):
            self._queue(chunk, starts)

    def is_complete(self) -> bool:
        """Return whether the outbox holds all that is due at these targets."""
        return queued_for(self._connection) == self._selection(target_starts(self._connection))

    def catch_up(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Queue what is due of all runs, unless that is done. The whole log has been read."""
        if not self._targets or self.is_complete():
            return
        starts = target_starts(self._connection)
        with transaction(self._connection):
            queue.remove_other_targets(self._connection, [one.name for one in self._targets])
        last = ""
        while chunk := self._ended_after(last):
            if should_stop():
                return
            with transaction(self._connection):
                self._queue(chunk, starts)
            last = chunk[-1]
        with transaction(self._connection):
            set_queued_for(self._connection, self._selection(starts))

    def _selection(self, starts: dict[str, str]) -> str:
        """Return all that decides what is due, as text."""
        return " ".join(sorted(f"{one.selection} {starts.get(one.name)}" for one in self._targets))

    def _ended_after(self, run_id: str) -> list[str]:
        rows = self._connection.execute(
            "SELECT run_id FROM agent_runs WHERE run_id > ? AND end_time IS NOT NULL"
            " ORDER BY run_id LIMIT ?",
            (run_id, _CHUNK),
        )
        return [found for (found,) in rows]

    def _queue(self, run_ids: Collection[str], starts: dict[str, str]) -> None:
        states = delivery_states(self._connection, run_ids)
        queued: dict[tuple[str, str], list[QueuedRevision]] = {}
        for one in queue.queued_revisions(self._connection, run_ids):
            queued.setdefault((one.target, one.run_id), []).append(one)
        obsolete: list[QueuedRevision] = []
        due: list[tuple[Target, str]] = []
        started = [target for target in self._targets if target.name in starts]
        for run in self._runs(run_ids):
            for target in started:
                state = states.get((target.name, run.run_id), NOT_SENT)
                is_due = _is_due(run, target, starts[target.name], state)
                waiting = queued.get((target.name, run.run_id), [])
                obsolete += [one for one in waiting if _is_obsolete(one, run, state, is_due)]
                if is_due:
                    due.append((target, run.run_id))
        queue.remove(self._connection, obsolete)
        self._enqueue(due)

    def _runs(self, run_ids: Collection[str]) -> list[_Run]:
        marks = ", ".join("?" * len(run_ids))
        rows = self._connection.execute(
            "SELECT run_id, revision, end_time IS NOT NULL, ifnull(updated_at, ''), agent_name,"
            f" status FROM agent_runs WHERE run_id IN ({marks})",
            tuple(run_ids),
        )
        return [_Run(*row) for row in rows]

    def _enqueue(self, due: list[tuple[Target, str]]) -> None:
        rows = load_runs(self._connection, {run_id for _, run_id in due})
        parcels = (
            NewParcel(
                target.name,
                run_id,
                rows[run_id]["revision"],
                key_of(run_id, rows[run_id]["revision"], target.names),
                payload_for(target, rows[run_id], spans_of(self._connection, run_id)),
                rows[run_id]["updated_at"] or "",
            )
            for target, run_id in due
        )
        queue.enqueue(self._connection, parcels)


def payload_for(target: Target, row: Mapping[str, Any], spans: Iterable[SpanRow]) -> bytes:
    """Return the payload of a run for a target; only traces use the run's spans."""
    if target.kind != OTLP:
        return payload_of(row, target.names)
    # Imported here: most users send no traces.
    from indexer.outbox.otlp.trace import trace_payload

    return trace_payload(row, spans, content=target.content)


def _is_due(run: _Run, target: Target, start: str, state: DeliveryState) -> bool:
    return (
        bool(run.has_ended)
        and run.updated_at >= start
        and not state.is_settled(run.revision)
        and target.wants(run.agent_name, run.status)
    )


def _is_obsolete(one: QueuedRevision, run: _Run, state: DeliveryState, is_due: bool) -> bool:
    """Return whether a queued revision is settled, or was overtaken before it was tried."""
    if state.is_settled(one.revision):
        return True
    return one.attempts == 0 and not (is_due and one.revision == run.revision)


def _chunks(run_ids: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(run_ids)
    while chunk := list(islice(remaining, _CHUNK)):
        yield chunk
