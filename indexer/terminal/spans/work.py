"""Print what one run did: spans, usage, metrics, and what it was doing when last heard of.

Used by `telemetry show`. It only reads.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

import click

from indexer.store.spans.open_spans import LastSpan, last_span
from indexer.store.spans.trees import last_metrics, spans_of_run
from indexer.store.spans.usage import usage_of_run
from indexer.terminal.console import heading
from indexer.terminal.format import count, plain
from indexer.terminal.json_output import parsed_row
from indexer.terminal.spans.table import print_nodes
from indexer.terminal.spans.tree import folded, span_nodes
from indexer.terminal.spans.usage import usage_sentence
from indexer.terminal.table import Column, print_table

_LINES_FOR_PEOPLE = 40


class Work(NamedTuple):
    """What a run did."""

    spans: list[dict[str, Any]]
    usage: Optional[dict[str, Any]]
    metrics: list[dict[str, Any]]
    last: Optional[LastSpan]
    is_dead: bool
    """Whether the run is taken for dead."""

    def values(self) -> dict[str, Any]:
        """Return what programs are given."""
        return {
            "spans": [parsed_row(span) for span in self.spans],
            "usage": self.usage,
            "metrics": self.metrics,
            "last_span": None if self.last is None else self.last._asdict(),
        }

    def print(self, *, is_full: bool = False) -> None:
        """Print it for people; nothing of what the run has not."""
        if self.last is not None:
            click.echo()
            click.echo(plain(self.last.sentence(self.is_dead)))
        if self.usage is not None:
            heading("Usage")
            click.echo(usage_sentence(self.usage))
        if self.metrics:
            heading(f"Metrics ({count(len(self.metrics))})")
            _print_metrics(self.metrics)
        if self.spans:
            heading(f"Spans ({count(len(self.spans))})")
            left_out = print_nodes(
                folded(span_nodes(self.spans)), 0 if is_full else _LINES_FOR_PEOPLE
            )
            if left_out:
                click.echo(f"and {count(left_out)} more lines: `telemetry tree` shows them")


def work_of(connection: sqlite3.Connection, run: Mapping[str, Any]) -> Work:
    """Return what a run did; `run` is its row with `stale`."""
    run_id = run["run_id"]
    return Work(
        spans_of_run(connection, run_id),
        usage_of_run(connection, run_id),
        last_metrics(connection, run_id),
        last_span(connection, run_id),
        run["stale"] is not None,
    )


def _print_metrics(metrics: list[dict[str, Any]]) -> None:
    columns = [
        Column("METRIC", cut=True),
        *(Column(title, right=True) for title in ("LAST", "STEP", "LEAST", "MOST", "POINTS")),
    ]
    names = ("last", "last_step", "least", "most", "points")
    print_table(
        columns, [[plain(row["name"]), *(_number(row[name]) for name in names)] for row in metrics]
    )


def _number(value: Any) -> str:
    return "" if value is None else f"{value:,.6g}"
