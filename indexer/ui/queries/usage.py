"""Query what model calls used and cost, by day, model, agent or project.

Called by the page of usage and by the overview. Only the leaves that count are summed; a cost
that is not known is none, never zero.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Optional

from indexer.ui.queries.filters import Condition, Place
from indexer.ui.queries.scan import Scan, pieces
from indexer.ui.readers import Deadline
from telemetry_core.timestamp import parse_time

BY = ("day", "model", "agent", "project")
UNKNOWN = "unknown"

_PROJECT = "coalesce(runs.product, runs.git_repo)"
_SUMS = """count(*), total(spans.input_tokens), total(spans.cache_read_tokens),
  total(spans.cache_write_tokens), total(spans.output_tokens), total(spans.reasoning_tokens),
  total(coalesce(spans.cost_reported_usd, spans.cost_estimated_usd)),
  total(spans.cost_reported_usd IS NULL AND spans.cost_estimated_usd IS NOT NULL),
  total(spans.cost_reported_usd IS NULL AND spans.cost_estimated_usd IS NULL)"""
_SPANS = (
    "JOIN run_spans AS spans INDEXED BY run_spans_counted"
    " ON spans.run_id = runs.run_id AND spans.counted = 1"
)
_KEYS = {
    "model": "spans.provider, spans.model",
    "agent": "runs.agent_name, NULL",
    "project": f"{_PROJECT}, NULL",
    "day": "substr(spans.start_time, 1, 13), NULL",
}


@dataclass
class Usage:
    """What some calls used in all."""

    calls: float = 0
    input_tokens: float = 0
    cache_read_tokens: float = 0
    cache_write_tokens: float = 0
    output_tokens: float = 0
    reasoning_tokens: float = 0
    cost: float = 0
    """In dollars: of the calls whose cost is known."""
    estimated: float = 0
    """Calls whose cost is of a price list."""
    unpriced: float = 0
    """Calls whose cost is not known."""

    def add(self, other: Usage) -> None:
        """Add other calls."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    @property
    def cost_usd(self) -> Optional[float]:
        """The cost, None if no call's is known."""
        return None if self.unpriced >= self.calls else self.cost

    @property
    def cached(self) -> Optional[float]:
        """Which part of the input came from a cache."""
        whole = self.input_tokens + self.cache_read_tokens + self.cache_write_tokens
        return self.cache_read_tokens / whole if whole else None

    @property
    def tokens(self) -> float:
        """All tokens."""
        return (
            self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_tokens
            + self.output_tokens
        )


@dataclass(frozen=True)
class UsageTable:
    """Usage by some key, as far back as was looked."""

    rows: dict[str, Usage]
    searched_to: str

    @property
    def all(self) -> Usage:
        """Return all of it."""
        total = Usage()
        for usage in self.rows.values():
            total.add(usage)
        return total


def usage_by(
    connection: sqlite3.Connection, by: str, condition: Condition, seconds: float
) -> UsageTable:
    """Return usage by day, model, agent or project of the runs that began in a time."""
    rows: dict[str, Usage] = {}
    scan, deadline, place = Scan(condition), Deadline(seconds), None
    try:
        for end in pieces(connection, scan):
            for key, usage in _piece(connection, by, scan, place, end):
                rows.setdefault(key, Usage()).add(usage)
            place = end
            if end is None:
                return UsageTable(rows, "")
            if deadline.is_over():
                break
    except sqlite3.OperationalError as error:
        if str(error) != "interrupted":
            raise
    return UsageTable(rows, place.start_time if place else "")


def _piece(
    connection: sqlite3.Connection,
    by: str,
    scan: Scan,
    start: Optional[Place],
    end: Optional[Place],
) -> list[tuple[str, Usage]]:
    where, values = scan.window(start, end)
    # `CROSS` keeps the order of the join: runs of the time first, then their calls.
    sql = (
        f"SELECT {_KEYS[by]}, {_SUMS} FROM agent_runs AS runs INDEXED BY agent_runs_by_start"
        f" CROSS {_SPANS} WHERE {where} GROUP BY 1, 2"
    )
    return [(_key(by, row[0], row[1]), Usage(*row[2:])) for row in connection.execute(sql, values)]


def _key(by: str, first: Any, second: Any) -> str:
    if by == "day":
        return _local_day(first)
    if by == "model":
        return str(second or UNKNOWN)
    return str(first) if first is not None else UNKNOWN


def _local_day(hour: Any) -> str:
    try:
        return f"{parse_time(f'{hour}:00:00Z').astimezone():%Y-%m-%d}"
    except (ValueError, OverflowError):
        return UNKNOWN


def costs_of(connection: sqlite3.Connection, run_ids: Sequence[str]) -> dict[str, Usage]:
    """Return the usage of runs that have any."""
    marks = ", ".join("?" * len(run_ids))
    sql = (
        f"SELECT runs.run_id, {_SUMS} FROM agent_runs AS runs CROSS {_SPANS}"
        f" WHERE runs.run_id IN ({marks}) GROUP BY runs.run_id"
    )
    return {row[0]: Usage(*row[1:]) for row in connection.execute(sql, list(run_ids))}


def models_of(connection: sqlite3.Connection, run_ids: Sequence[str]) -> dict[str, Usage]:
    """Return the usage of some runs by model."""
    marks = ", ".join("?" * len(run_ids))
    sql = (
        f"SELECT spans.provider, spans.model, {_SUMS} FROM agent_runs AS runs CROSS {_SPANS}"
        f" WHERE runs.run_id IN ({marks}) GROUP BY 1, 2"
    )
    found: dict[str, Usage] = {}
    for row in connection.execute(sql, list(run_ids)):
        found.setdefault(_key("model", row[0], row[1]), Usage()).add(Usage(*row[2:]))
    return found
