"""Make the centre's rows of runs, spans and metrics from a database that has the runs.

That is the host's own database, or one in memory that was folded from all hosts' events: the
same rows come from the same events.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple, Optional

import orjson

from indexer.fleet.shipping.content import Withholding
from indexer.fleet.wire.native import Row
from indexer.semantics.tree import usage_leaves
from indexer.store.metrics import MetricRow, metrics_of
from indexer.store.spans import table as spans
from indexer.store.spans.calls import claims_of
from indexer.store.spans.prices import span_prices
from indexer.store.spans.table import SpanRow


class Stamp(NamedTuple):
    """What all rows of one run have in common."""

    run_id: str
    version: int
    node: str
    day: date


@dataclass
class Rows:
    """Rows to be sent, by table."""

    runs: list[Row] = field(default_factory=list)
    spans: list[Row] = field(default_factory=list)
    metrics: list[Row] = field(default_factory=list)


class RowMaker:
    """Makes rows of the runs of one database."""

    def __init__(self, connection: sqlite3.Connection, withholding: Withholding) -> None:
        self._connection = connection
        self._withholding = withholding

    def add_run(self, rows: Rows, stamp: Stamp, row: dict[str, Any]) -> None:
        """Add the row of a run."""
        shipped = self._withholding.run(row)
        rows.runs.append((*stamp, row_json(shipped)))

    def add_all_of(self, rows: Rows, stamp: Stamp) -> None:
        """Add all spans and metrics of a run; what the centre had of them before is gone."""
        wanted = [one.span_id for one in spans.spans_of(self._connection, stamp.run_id)]
        self._add_spans(rows, stamp, wanted, stamp.version)
        add_metrics(rows, stamp, metrics_of(self._connection, stamp.run_id), stamp.version)

    def add_changed(
        self, rows: Rows, stamp: Stamp, span_ids: Collection[str], metrics: Iterable[MetricRow]
    ) -> None:
        """Add spans with what they may have changed above them, and new metrics."""
        if span_ids:
            self._add_spans(rows, stamp, self._with_ancestors(stamp.run_id, span_ids), 0)
        add_metrics(rows, stamp, metrics, 0)

    def _with_ancestors(self, run_id: str, span_ids: Collection[str]) -> set[str]:
        """A parent's usage no longer counts once a span below it has some."""
        parents = {
            one.span_id: one.parent_span_id for one in spans.places(self._connection, run_id)
        }
        found: set[str] = set()
        for span_id in span_ids:
            one: Optional[str] = span_id
            while one is not None and one not in found:
                found.add(one)
                one = parents.get(one)
        return found

    def _add_spans(
        self, rows: Rows, stamp: Stamp, span_ids: Collection[str], generation: int
    ) -> None:
        if not span_ids:
            return
        leaves = self._leaves(stamp.run_id)
        prices = span_prices(self._connection, stamp.run_id)
        calls: dict[str, list[str]] = {}
        strength: dict[str, str] = {}
        for claim in claims_of(self._connection, stamp.run_id):
            calls.setdefault(claim.span_id, []).append(claim.call)
            strength[claim.span_id] = claim.claim
        for span_id, span in spans.load_spans(self._connection, stamp.run_id, span_ids).items():
            rows.spans.append(
                (
                    stamp.run_id,
                    span_id,
                    stamp.version,
                    generation,
                    stamp.node,
                    stamp.day,
                    int(span_id in leaves),
                    strength.get(span_id, ""),
                    calls.get(span_id, []),
                    self._span_json(span, prices.get(span_id)),
                )
            )

    def _leaves(self, run_id: str) -> set[str]:
        if not spans.has_usage(self._connection, run_id):
            return set()
        places = list(spans.places(self._connection, run_id))
        parents = {one.span_id: one.parent_span_id for one in places}
        return usage_leaves(parents, (one.span_id for one in places if one.has_usage))

    def _span_json(self, span: SpanRow, price: Optional[tuple[Optional[float], str]]) -> str:
        value = span._asdict()
        value["attributes_json"] = self._withholding.attributes(span.attributes_json)
        if price is not None:
            value["cost_estimated_usd"], value["price_version"] = price
        return row_json(value)


def add_metrics(rows: Rows, stamp: Stamp, metrics: Iterable[MetricRow], generation: int) -> None:
    """Add values of metrics of a run."""
    rows.metrics += _metrics(stamp, metrics, generation)


def _metrics(stamp: Stamp, metrics: Iterable[MetricRow], generation: int) -> Iterator[Row]:
    for one in metrics:
        yield (
            one.run_id,
            one.name,
            one.time,
            one.event_id,
            stamp.version,
            generation,
            stamp.node,
            stamp.day,
            one.step,
            one.value,
        )


def row_json(row: dict[str, Any]) -> str:
    """Return a row as the centre compares it: an object without what is empty."""
    given = {name: value for name, value in row.items() if value is not None}
    return orjson.dumps(given, option=orjson.OPT_SORT_KEYS).decode()
