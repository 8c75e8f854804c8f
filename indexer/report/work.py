"""Sum up what agents did in a period: what models cost, and which tools failed or took long.

Called by the figures. It only reads; what it gives are tables of text, for the page and for
Markdown alike. A period without spans has none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from indexer.store.run_queries import RunFilter
from indexer.store.schema.spans import USAGE_SUMS
from indexer.terminal.format import count, duration, plain
from indexer.terminal.spans.usage import usage_cells

_ROWS_SHOWN = 10
_TOOLS = "tools"
_CHOSEN = "WITH chosen AS (SELECT * FROM run_spans WHERE start_time >= ? AND start_time < ?)"
_USAGE_TITLES = (
    "Calls",
    "Input",
    "Cache read",
    "Cache write",
    "Output",
    "Hits",
    "Reported",
    "List price",
)
USAGE_NOTE = (
    "Tokens are in exclusive buckets. A + after a list price means that it leaves out"
    " calls of models without a price."
)
TOOLS_NOTE = "Calls that began in the period; open ones never ended."


@dataclass(frozen=True)
class WorkTable:
    """One section: a title, a note, and values that are shown as rows of text."""

    name: str
    title: str
    note: str
    titles: Sequence[str]
    values: Sequence[dict[str, Any]]
    names: int
    """How many of the columns are names; the others are numbers."""

    @property
    def rows(self) -> list[list[str]]:
        """Return the values in words."""
        cells = _tool_cells if self.name == _TOOLS else _usage_cells
        return [cells(row) for row in self.values]

    @property
    def heads(self) -> list[tuple[str, str]]:
        """The class and the title of each column."""
        kinds = ["", *["text wide"] * (self.names - 1)]
        kinds += ["number"] * (len(self.titles) - self.names)
        return list(zip(kinds, self.titles))


def work_tables(connection: sqlite3.Connection, chosen: RunFilter) -> list[WorkTable]:
    """Return what there is to say of model and tool calls of the chosen runs.

    Calls that began in the period of the filter count, those of nested runs included.
    """
    ask = _Asker(connection, chosen)
    tables = [
        _usage(ask, "models", "Models", "Model", "ifnull(model, '(no model)')"),
        _usage(ask, "costs", "Costs by agent", "Agent", _AGENT),
        _tools(ask),
    ]
    return [table for table in tables if table.values]


_AGENT = "ifnull((SELECT agent_name FROM agent_runs WHERE run_id = chosen.run_id), '(no agent)')"


def _usage(ask: _Asker, name: str, title: str, what: str, grouping: str) -> WorkTable:
    rows = ask.rows(
        f"SELECT {grouping} AS name, {USAGE_SUMS} FROM chosen WHERE counted = 1 GROUP BY 1"
        f" ORDER BY total(cost_estimated_usd) DESC, calls DESC, 1 LIMIT {_ROWS_SHOWN}"
    )
    return WorkTable(name, title, USAGE_NOTE, (what, *_USAGE_TITLES), rows, 1)


def _tools(ask: _Asker) -> WorkTable:
    """The tools that fail most, and after them those that take longest."""
    rows = ask.rows(
        "SELECT ifnull(tool_name, name) AS name, count(*) AS calls,"
        " total(status = 'error') AS failed, sum(end_time IS NULL) AS open,"
        " avg(duration_ms) AS mean, max(duration_ms) AS longest,"
        " max(CASE WHEN status = 'error' THEN error END) AS error"
        " FROM chosen WHERE kind = 'tool' AND is_owner = 1 GROUP BY 1"
        f" ORDER BY failed DESC, longest DESC, 1 LIMIT {_ROWS_SHOWN}"
    )
    titles = ("Tool", "An error", "Calls", "Failed", "Open", "Mean", "Longest")
    return WorkTable(_TOOLS, "Slow and failing tools", TOOLS_NOTE, titles, rows, 2)


def _usage_cells(row: dict[str, Any]) -> list[str]:
    return [plain(row["name"]), *usage_cells(row)]


def _tool_cells(row: dict[str, Any]) -> list[str]:
    return [
        plain(row["name"]),
        plain(row["error"]),
        count(row["calls"]),
        count(int(row["failed"])),
        count(row["open"]),
        duration(row["mean"]),
        duration(row["longest"]),
    ]


class _Asker:
    """Asks about the spans that began in a period, in the chosen runs and those nested in them."""

    def __init__(self, connection: sqlite3.Connection, chosen: RunFilter) -> None:
        self._connection = connection
        of_runs = replace(chosen, since=None, until=None, is_root=False)
        where, values = of_runs.where()
        self._with = "WITH chosen AS (SELECT * FROM run_spans WHERE start_time >= ?"
        self._with += " AND start_time < ?"
        if of_runs != RunFilter():
            self._with += f" AND run_id IN (SELECT run_id FROM agent_runs WHERE {where})"
        self._with += ") "
        self._values = [chosen.since or "", chosen.until or "~", *values]

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Return what a query on the spans `chosen` gives."""
        rows = self._connection.execute(self._with + query, self._values)
        names = [column[0] for column in rows.description]
        return [dict(zip(names, tuple(row))) for row in rows]
