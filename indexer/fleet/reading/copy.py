"""A database in memory with rows of the centre: those that one question needs, and no more.

It has the schema of a host's database, so that whatever reads that reads this: there is one
spelling of each question, and the answers are the same. What is copied is more than is asked at
most, and the question itself decides.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from indexer.fleet.schema.layout import Layout, in_list
from indexer.fleet.schema.tables import RUN_ROWS
from indexer.fleet.schema.views import run_spans_of
from indexer.fleet.shipping.question import chunks
from indexer.fleet.wire.client import FleetClient
from indexer.store.connection import transaction
from indexer.store.events.table import insert_events
from indexer.store.metrics import MetricRow, save_metrics
from indexer.store.run_queries import oldest_start, parents_not_there
from indexer.store.runs import save_runs
from indexer.store.schema.columns import (
    PRICED_COLUMNS,
    RUN_COLUMNS,
    SETTLED_COLUMNS,
    SPAN_COLUMNS,
)
from indexer.store.schema.tables import EVENT_COLUMNS
from indexer.store.spans.table import copy_spans, runs_not_there

MOST_ROWS = 100_000
"""Of one table, for one question."""

ALL_SPAN_COLUMNS = (*SPAN_COLUMNS, *SETTLED_COLUMNS, *PRICED_COLUMNS)
USAGE_COLUMNS = tuple(
    name for name in ALL_SPAN_COLUMNS if name not in ("attributes_json", "vocabulary")
)
"""Without what may be large and no sum needs."""

_RUNS_AT_ONCE = 2_000


class Copy:
    """The database, and where its rows come from."""

    def __init__(self, client: FleetClient, connection: sqlite3.Connection, most: int) -> None:
        """Copy into an empty database with our schema, `most` rows of a table for a question."""
        self.connection = connection
        self.notes: list[str] = []
        """What was left out, and how to ask for less; for people."""
        self.most = most
        self._client = client
        self._layout = Layout(client.address.database)

    def ask(self, sql: str, values: Mapping[str, Any] | None = None) -> list[list[Any]]:
        """Return rows of the centre. Raises FleetError."""
        return self._client.select(sql, values)[1]

    def add_runs(
        self, where: str, values: Mapping[str, Any], narrower: str = "--since, --agent or --job"
    ) -> None:
        """Copy the newest runs that a condition means. Raises FleetError."""
        rows = self._newest(
            f"SELECT row FROM {RUN_ROWS} FINAL WHERE {where} ORDER BY start_time DESC, run_id DESC",
            values,
            ("runs", narrower),
        )
        self._save_runs(rows)

    def add_runs_of(self, sql: str, values: Mapping[str, Any]) -> None:
        """Copy the runs that a query gives as rows of theirs. Raises FleetError."""
        self._save_runs(self._newest(sql, values, ("runs", "`telemetry sql --fleet`")))

    def oldest_run(self) -> str:
        """Return when the oldest of the copied runs began; empty for none."""
        return oldest_start(self.connection)

    def add_runs_named(self, run_ids: Iterable[str]) -> None:
        """Copy runs by their ids."""
        for some in chunks(run_ids, _RUNS_AT_ONCE):
            self._save_runs(
                self.ask(f"SELECT row FROM {RUN_ROWS} FINAL WHERE run_id IN ({in_list(some)})")
            )

    def add_parents(self) -> None:
        """Copy the parents of all that was copied: whether a run is nested depends on them."""
        self.add_runs_named(parents_not_there(self.connection))

    def add_runs_of_spans(self) -> None:
        """Copy the runs of all spans that were copied."""
        self.add_runs_named(runs_not_there(self.connection))

    def add_newest_of_each(self, column: str) -> None:
        """Copy the newest run of each value of a column, for a look at which values there are."""
        rows = self.ask(
            f"SELECT argMax(row, ifNull(start_time, '')) FROM {RUN_ROWS} FINAL"
            f" WHERE {column} IS NOT NULL GROUP BY {column}"
            " ORDER BY max(start_time) DESC LIMIT 1000"
        )
        self._save_runs(rows)

    def add_spans(
        self,
        where: str,
        values: Mapping[str, Any] | None = None,
        columns: Sequence[str] = ALL_SPAN_COLUMNS,
        narrower: str = "--since",
        of: str = "",
    ) -> None:
        """Copy the newest spans that a condition means. Raises FleetError.

        `of` says of which runs they may be, where that is known, by a condition on their spans'
        rows: whose usage counts is then asked of those and not of all.
        """
        source = f"({run_spans_of(self._layout, of)})" if of else "run_spans"
        rows = self._newest(
            f"SELECT {', '.join(columns)} FROM {source} WHERE {where}"
            " ORDER BY start_time DESC, run_id, span_id",
            values or {},
            ("spans", narrower),
        )
        with transaction(self.connection):
            copy_spans(self.connection, columns, rows)

    def add_events(self, where: str, values: Mapping[str, Any], limit: int = 0) -> None:
        """Copy the last events that a condition means; a limit of 0 is none but our own."""
        sql = (
            f"SELECT {', '.join(EVENT_COLUMNS)} FROM run_events WHERE {where}"
            " ORDER BY timestamp DESC, event_id DESC"
        )
        if 0 < limit <= self.most:
            rows = self.ask(f"{sql} LIMIT {limit}", values)
        else:
            rows = self._newest(sql, values, ("events", "--events"))
        with transaction(self.connection):
            insert_events(self.connection, [tuple(row) for row in rows])

    def add_metrics(self, where: str, values: Mapping[str, Any]) -> None:
        """Copy the last values of metrics that a condition means."""
        names = ", ".join(MetricRow._fields)
        rows = self._newest(
            f"SELECT {names} FROM run_metrics WHERE {where} ORDER BY time DESC, event_id DESC",
            values,
            ("values of metrics", "`telemetry sql --fleet`"),
        )
        with transaction(self.connection):
            save_metrics(self.connection, map(MetricRow._make, rows))

    def _newest(
        self, sql: str, values: Mapping[str, Any], words: tuple[str, str]
    ) -> list[list[Any]]:
        """Return as many rows as are copied at most, and note if there are more."""
        rows = self.ask(f"{sql} LIMIT {self.most + 1}", values)
        if len(rows) > self.most:
            what, narrower = words
            self.notes.append(
                f"only the newest {self.most:,} {what} of the fleet were read: ask for less with"
                f" {narrower}"
            )
        return rows[: self.most]

    def _save_runs(self, rows: list[list[Any]]) -> None:
        with transaction(self.connection):
            save_runs(self.connection, (_run(row) for (row,) in rows))


def _run(text: str) -> dict[str, Any]:
    """Return a row as its host has it, without columns of a newer version."""
    given = orjson.loads(text)
    return {name: given[name] for name in RUN_COLUMNS if name in given}
