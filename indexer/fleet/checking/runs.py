"""Compare this host's rows of runs, spans and metrics with the centre's.

Where the centre's row was made of more events than this host has, others have some as well, and
there is nothing here to compare it with.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from indexer.fleet.checking.events import Compared
from indexer.fleet.checking.finding import DIFFERS, NOT_SHIPPED, Findings
from indexer.fleet.checking.sums import (
    METRIC_SUM,
    NOTHING,
    SPAN_SUM,
    Sum,
    sum_of_metrics,
    sum_of_spans,
)
from indexer.fleet.schema.layout import in_list
from indexer.fleet.schema.tables import METRIC_ROWS, RUN_ROWS, SPAN_ROWS
from indexer.fleet.shipping.content import Withholding
from indexer.fleet.shipping.question import ask_about_runs
from indexer.fleet.shipping.rows import RowMaker, Rows, Stamp, row_json
from indexer.fleet.shipping.segment_id import NO_DAY
from indexer.fleet.version import events_of, is_newer_fold
from indexer.fleet.wire.client import FleetClient
from indexer.store.events.table import count_receipts
from indexer.store.runs import load_runs


class CentralRow(NamedTuple):
    """A run as the centre has it."""

    version: int
    row: str


class RunCheck:
    """Compares rows, some runs at a time."""

    def __init__(
        self, connection: sqlite3.Connection, client: FleetClient, withholding: Withholding
    ) -> None:
        self._connection = connection
        self._client = client
        self._withholding = withholding

    def compare(self, compared: Compared, findings: Findings) -> None:
        """Compare the rows of runs whose events were found equal."""
        run_ids = compared.run_ids
        if not run_ids:
            return
        own = load_runs(self._connection, run_ids)
        receipts = count_receipts(self._connection, run_ids)
        known = ask_about_runs(self._client, run_ids)
        there = self._rows(run_ids)
        alike: list[str] = []
        for run_id, row in own.items():
            findings.runs += 1
            events = row["event_count"] + receipts.get(run_id, 0)
            central = there.get(run_id)
            asked = known.get(run_id)
            what = f"run {run_id}"
            if central is not None and asked and events_of(central.version) < asked.events:
                findings.add(DIFFERS, what, "its row lacks events that the centre has")
            elif central is None or events_of(central.version) < events:
                if run_id not in compared.whole:
                    findings.not_compared += 1
                elif central is None:
                    findings.add(NOT_SHIPPED, what, "the centre has no row of it")
                else:
                    findings.add(NOT_SHIPPED, what, "its row is of fewer events than are here")
            elif events_of(central.version) == events and not is_newer_fold(central.version):
                if central.row != row_json(self._withholding.run(row)):
                    findings.add(DIFFERS, what, "its row is another")
                alike.append(run_id)
        self._compare_parts(alike, findings)

    def _rows(self, run_ids: Sequence[str]) -> dict[str, CentralRow]:
        _, rows = self._client.select(
            f"SELECT run_id, version, row FROM {RUN_ROWS} FINAL"
            f" WHERE run_id IN ({in_list(run_ids)})"
        )
        return {row[0]: CentralRow(int(row[1]), row[2]) for row in rows}

    def _compare_parts(self, run_ids: Sequence[str], findings: Findings) -> None:
        """Compare the spans and metrics of runs that are made of the same events on both sides."""
        if not run_ids:
            return
        maker, rows = RowMaker(self._connection, self._withholding), Rows()
        for run_id in run_ids:
            maker.add_all_of(rows, Stamp(run_id, 0, "", NO_DAY))
        for name, here, there in (
            ("spans", sum_of_spans(rows.spans), self._sums(SPAN_ROWS, SPAN_SUM, run_ids)),
            ("metrics", sum_of_metrics(rows.metrics), self._sums(METRIC_ROWS, METRIC_SUM, run_ids)),
        ):
            for run_id in run_ids:
                a, b = here.get(run_id, NOTHING), there.get(run_id, NOTHING)
                if a != b:
                    detail = f"its {name} differ: {a.rows} here, {b.rows} in the centre"
                    findings.add(DIFFERS, f"run {run_id}", detail)

    def _sums(self, table: str, total: str, run_ids: Sequence[str]) -> dict[str, Sum]:
        _, rows = self._client.select(
            f"SELECT run_id, count(), sum({total}) FROM ("
            "SELECT *, max(generation) OVER (PARTITION BY run_id) AS newest"
            f" FROM {table} FINAL WHERE run_id IN ({in_list(run_ids)})"
            ") WHERE version >= newest GROUP BY run_id"
        )
        return {row[0]: Sum(int(row[1]), int(row[2])) for row in rows}
