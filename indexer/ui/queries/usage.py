"""Query what model calls used and cost, by day, model, agent or project.

Called by the page of usage and by the overview. Only the leaves that count are summed; a cost
that is not known is none, never zero.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, NamedTuple, Optional

from indexer.ui.readers import Deadline
from telemetry_core.timestamp import parse_time

BY = ("day", "model", "agent", "project")
UNKNOWN = "unknown"

_SUMS = """count(*), total(spans.input_tokens), total(spans.cache_read_tokens),
  total(spans.cache_write_tokens), total(spans.output_tokens), total(spans.reasoning_tokens),
  total(coalesce(spans.cost_reported_usd, spans.cost_estimated_usd)),
  total(spans.cost_reported_usd IS NULL AND spans.cost_estimated_usd IS NOT NULL),
  total(spans.cost_reported_usd IS NULL AND spans.cost_estimated_usd IS NULL)"""
_SPANS = (
    "JOIN run_spans AS spans INDEXED BY run_spans_counted"
    " ON spans.run_id = runs.run_id AND spans.counted = 1"
)
# The index has all that is summed up. `CROSS` keeps the order of the join: calls, then their runs.
_CALLS = "run_spans AS spans INDEXED BY run_spans_used"
_RUNS = " CROSS JOIN agent_runs AS runs ON runs.run_id = spans.run_id"
_KEYS = {
    "model": ("spans.provider, spans.model", ""),
    "agent": ("runs.agent_name, NULL", _RUNS),
    "project": ("coalesce(runs.product, runs.git_repo), NULL", _RUNS),
    "day": ("NULL, NULL", ""),
}
_FIRST_PIECE = 2_000
_LARGEST_PIECE = 16_000
_MOST_CALLS = 120_000
"""So many calls are summed up for one page: about as many as its time allows."""


class Period(NamedTuple):
    """Some time: from a moment until before another."""

    since: str = ""
    until: str = "9999"


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
    """Usage by some key and by day, as far back as was looked."""

    rows: dict[str, Usage]
    days: dict[str, Usage]
    searched_to: str
    calls_left: int
    """How many calls more may be summed up."""

    @property
    def all(self) -> Usage:
        """Return all of it."""
        total = Usage()
        for usage in self.rows.values():
            total.add(usage)
        return total


def usage_by(
    connection: sqlite3.Connection,
    by: str,
    period: Period,
    deadline: Deadline,
    most_calls: int = _MOST_CALLS,
) -> UsageTable:
    """Return usage by day, model, agent or project of the calls that began in a time."""
    rows: dict[str, Usage] = {}
    days: dict[str, Usage] = {}
    left, size = most_calls, _FIRST_PIECE
    try:
        while left > 0 and not deadline.is_over():
            start = _start_of_piece(connection, period, min(size, left))
            piece = Period(start or period.since, period.until)
            for day, key, usage in _sums(connection, by, piece):
                rows.setdefault(key, Usage()).add(usage)
                days.setdefault(day, Usage()).add(usage)
            if start is None:
                return UsageTable(rows, days, "", left)
            period = Period(period.since, start)
            left, size = left - size, min(size * 2, _LARGEST_PIECE)
    except sqlite3.OperationalError as error:
        if str(error) != "interrupted":
            raise
    return UsageTable(rows, days, period.until, 0)


def _start_of_piece(connection: sqlite3.Connection, period: Period, size: int) -> Optional[str]:
    """Return when the call began that so many calls of a period follow; None if there is none."""
    sql = (
        f"SELECT spans.start_time FROM {_CALLS} WHERE spans.counted = 1"
        " AND spans.start_time >= ? AND spans.start_time < ?"
        " ORDER BY spans.start_time DESC LIMIT 1 OFFSET ?"
    )
    row = connection.execute(sql, (*period, size)).fetchone()
    return None if row is None else str(row[0])


def _sums(
    connection: sqlite3.Connection, by: str, period: Period
) -> Iterator[tuple[str, str, Usage]]:
    columns, join = _KEYS[by]
    sql = (
        f"SELECT substr(spans.start_time, 1, 13), {columns}, {_SUMS} FROM {_CALLS}{join}"
        " WHERE spans.counted = 1 AND spans.start_time >= ? AND spans.start_time < ?"
        " GROUP BY 1, 2, 3"
    )
    for row in connection.execute(sql, period):
        day = _local_day(row[0])
        yield day, day if by == "day" else _key(by, row[1], row[2]), Usage(*row[3:])


def _key(by: str, first: Any, second: Any) -> str:
    if by == "model":
        return str(second or UNKNOWN)
    return str(first) if first is not None else UNKNOWN


@lru_cache(maxsize=10_000)
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
