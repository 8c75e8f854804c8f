"""Ship the rows of runs: the host's own where it has all events, else those of all hosts' events.

A run that others have events of as well is folded by whoever ships last: it sees in the centre
what all have shipped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import date
from typing import Any, Optional

from indexer.fleet.schema.tables import METRICS, RUNS, SPANS
from indexer.fleet.shipping.batch import Touched
from indexer.fleet.shipping.content import Withholding
from indexer.fleet.shipping.question import Known, ask_about_runs, chunks
from indexer.fleet.shipping.rows import RowMaker, Rows, Stamp
from indexer.fleet.shipping.segment_id import NO_DAY
from indexer.fleet.shipping.union import unions
from indexer.fleet.version import version_of
from indexer.fleet.wire.client import FleetClient
from indexer.store.events.table import count_receipts
from indexer.store.runs import load_runs
from indexer.system.base import Base


class RunShipping:
    """Ships rows of runs to one centre, as one node."""

    def __init__(
        self, base: Base, client: FleetClient, node: str, withholding: Withholding
    ) -> None:
        self._base = base
        self._client = client
        self._node = node
        self._withholding = withholding

    def ship(self, touched: Mapping[str, Touched], reader: sqlite3.Connection) -> None:
        """Ship the rows of runs of which events were just inserted; `reader` reads this host's.

        Raises FleetError, DatabaseUnusable or OSError.
        """
        for some in chunks(sorted(touched)):
            known = {
                run_id: one
                for run_id, one in ask_about_runs(self._client, some).items()
                if one.events
            }
            rows, shared = self._own({run: touched[run] for run in known}, known, reader)
            days = {run_id: touched[run_id].day for run_id in shared}
            self.fold_and_ship({run_id: known[run_id] for run_id in shared}, days, rows)

    def fold_and_ship(
        self, known: Mapping[str, Known], days: Mapping[str, date], rows: Optional[Rows] = None
    ) -> None:
        """Fold runs from all events that the centre has of them, and ship all their rows.

        `rows` are shipped with them: a request costs a host more than some rows in it.
        """
        rows = rows or Rows()
        for union in unions(self._client, self._base, known):
            maker = RowMaker(union.connection, self._withholding)
            folded = load_runs(union.connection, union.run_ids)
            for run_id in union.run_ids:
                version = version_of(union.events[run_id])
                stamp = Stamp(run_id, version, self._node, days.get(run_id, NO_DAY))
                if run_id in folded:
                    maker.add_run(rows, stamp, folded[run_id])
                maker.add_all_of(rows, stamp)
            self._insert(rows)
            rows = Rows()
        self._insert(rows)

    def _own(
        self,
        touched: Mapping[str, Touched],
        known: Mapping[str, Known],
        reader: sqlite3.Connection,
    ) -> tuple[Rows, list[str]]:
        """Return the rows of runs that are this host's alone, and the other runs."""
        own = load_runs(reader, touched)
        receipts = count_receipts(reader, touched)
        maker, rows, shared = RowMaker(reader, self._withholding), Rows(), []
        for run_id, one in touched.items():
            row = own.get(run_id)
            events = (row["event_count"] if row else 0) + receipts.get(run_id, 0)
            # Fewer than the centre has: pruned, restored from a backup, or not indexed yet.
            if row is None or known[run_id].nodes > 1 or events < known[run_id].events:
                shared.append(run_id)
                continue
            stamp = Stamp(run_id, version_of(events), self._node, one.day)
            _add_own(maker, rows, stamp, row, one, is_whole=_is_whole(row, known[run_id]))
        return rows, shared

    def _insert(self, rows: Rows) -> None:
        # A run's own row comes last: whoever sees it sees its spans as well.
        self._client.insert(SPANS, rows.spans)
        self._client.insert(METRICS, rows.metrics)
        self._client.insert(RUNS, rows.runs)


def _is_whole(row: Mapping[str, Any], known: Known) -> bool:
    """Whether all spans and metrics have to be sent, since others may have been sent before."""
    return known.is_disputed or bool(row["foreign_events"])


def _add_own(
    maker: RowMaker,
    rows: Rows,
    stamp: Stamp,
    row: dict[str, Any],
    touched: Touched,
    *,
    is_whole: bool,
) -> None:
    maker.add_run(rows, stamp, row)
    if is_whole:
        maker.add_all_of(rows, stamp)
    else:
        maker.add_changed(rows, stamp, touched.span_ids, touched.metrics)


def merge(touched: dict[str, Touched], more: Mapping[str, Touched]) -> None:
    """Add what another batch has of the same runs."""
    for run_id, one in more.items():
        known = touched.setdefault(run_id, one)
        if known is not one:
            known.day = max(known.day, one.day)
            known.span_ids |= one.span_ids
            known.metrics += one.metrics
