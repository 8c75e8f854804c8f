"""The due runs: which runs are to be sent to which targets, kept in the outbox.

Called by the ingest pass, inside the transaction that folded the runs, and by the view after
a pass that read the whole log. A run is due when it has ended, and again with each revision.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Callable, NamedTuple

from indexer.outbox import queue as outbox
from indexer.outbox.payload import body_of, key_of
from indexer.outbox.queue import Waiting
from indexer.outbox.receipts import NOTHING, Delivery, deliveries
from indexer.outbox.target import Target
from indexer.store.connection import transaction
from indexer.store.events.deduplication import StoreResult
from indexer.store.runs import load_runs
from indexer.store.schema.tables import EVENT_COLUMNS
from indexer.store.status import queued_for, set_queued_for
from telemetry_core.event import RUN_EVENT

# SQLite takes 999 parameters in its oldest builds.
_CHUNK = 500
_TYPE = EVENT_COLUMNS.index("type")


class _Run(NamedTuple):
    run_id: str
    revision: int
    has_ended: int
    agent_name: object
    status: object


class DueRuns:
    """The queue of one database for some targets.

    What a process without these targets folds is not queued by it, and neither is a first pass
    over a whole log, half of which would give states that never lasted and that later receipts
    settle. Then the mark goes, and what is missing is made up for in one go.
    """

    def __init__(self, connection: sqlite3.Connection, targets: Collection[Target]) -> None:
        self._connection = connection
        self._targets = targets
        self._choice = " ".join(sorted(target.choice for target in targets))

    def take(self, placed: StoreResult) -> None:
        """Bring the outbox up to date with events whose runs' rows were just written."""
        if not self._targets or not self.is_complete():
            set_queued_for(self._connection, None)
            return
        # What an agent says in between makes nothing due.
        told = {row[0] for row in placed.new if row[_TYPE] != RUN_EVENT}
        for chunk in _chunks(told | placed.refold):
            self._queue(chunk)

    def is_complete(self) -> bool:
        """Whether the outbox holds all that is due to these targets."""
        return queued_for(self._connection) == self._choice

    def catch_up(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Queue what is due of all runs, if that was not done; the whole log has been read."""
        if not self._targets or self.is_complete():
            return
        with transaction(self._connection):
            outbox.forget_targets(self._connection, [target.name for target in self._targets])
        last = ""
        while chunk := self._ended_after(last):
            if should_stop():
                return
            with transaction(self._connection):
                self._queue(chunk)
            last = chunk[-1]
        with transaction(self._connection):
            set_queued_for(self._connection, self._choice)

    def _ended_after(self, run_id: str) -> list[str]:
        rows = self._connection.execute(
            "SELECT run_id FROM agent_runs WHERE run_id > ? AND end_time IS NOT NULL"
            " ORDER BY run_id LIMIT ?",
            (run_id, _CHUNK),
        )
        return [row[0] for row in rows]

    def _queue(self, run_ids: Collection[str]) -> None:
        delivered = deliveries(self._connection, run_ids)
        waiting: dict[tuple[str, str], list[Waiting]] = {}
        for one in outbox.waiting_of(self._connection, run_ids):
            waiting.setdefault((one.target, one.run_id), []).append(one)
        gone: list[Waiting] = []
        due: list[tuple[Target, str]] = []
        for run in self._runs(run_ids):
            for target in self._targets:
                place = (target.name, run.run_id)
                there, told = waiting.get(place, []), delivered.get(place, NOTHING)
                is_due = _is_due(run, target, told)
                gone += [one for one in there if _is_over(one, run, told, is_due)]
                if is_due:
                    due.append((target, run.run_id))
        outbox.take_out(self._connection, gone)
        self._put(due)

    def _runs(self, run_ids: Collection[str]) -> Iterator[_Run]:
        marks = ", ".join("?" * len(run_ids))
        rows = self._connection.execute(
            "SELECT run_id, revision, end_time IS NOT NULL, agent_name, status FROM agent_runs"
            f" WHERE run_id IN ({marks})",
            tuple(run_ids),
        ).fetchall()
        return (_Run(*row) for row in rows)

    def _put(self, due: list[tuple[Target, str]]) -> None:
        rows = load_runs(self._connection, {run_id for _, run_id in due})
        outbox.put(
            self._connection,
            (
                outbox.Row(
                    target.name,
                    run_id,
                    rows[run_id]["revision"],
                    key_of(run_id, rows[run_id]["revision"], target.names),
                    body_of(rows[run_id], target.names),
                    rows[run_id]["updated_at"] or "",
                )
                for target, run_id in due
            ),
        )


def _is_due(run: _Run, target: Target, told: Delivery) -> bool:
    return (
        bool(run.has_ended)
        and not told.is_settled(run.revision)
        and target.wants(run.agent_name, run.status)
    )


def _is_over(one: Waiting, run: _Run, told: Delivery, is_due: bool) -> bool:
    """Whether a parcel need not wait any longer: settled, or overtaken before it was tried."""
    if told.is_settled(one.revision):
        return True
    return one.attempts == 0 and not (is_due and one.revision == run.revision)


def _chunks(run_ids: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(run_ids)
    while chunk := list(islice(remaining, _CHUNK)):
        yield chunk
