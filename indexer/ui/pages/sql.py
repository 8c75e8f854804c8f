"""`/sql`: a query of the user's own, read-only for certain, with a table and a chart.

Called by the application. What may be asked is decided where `telemetry sql` has it decided.
"""

from __future__ import annotations

import threading
from itertools import islice
from typing import Any, NamedTuple, Optional

from indexer.errors import DatabaseUnusable, QueryFailed
from indexer.fleet.errors import FleetError
from indexer.terminal.json_output import to_json
from indexer.ui.charts.bars import Bars, single_bars
from indexer.ui.pages.failure import in_parts
from indexer.ui.queries.saved import FLEET_SAVED, SAVED
from indexer.ui.rendering import text
from indexer.ui.site import PAGE_SECONDS, Asked, Reply, Site, csv, html, json

SECONDS = 5.0
_SHOWN = 500
_MOST_ROWS = 10_000
_MOST_CELL = 100_000
_CHARTED = 60
# So that long queries leave threads for the other pages.
_AT_ONCE = threading.BoundedSemaphore(2)


class Result(NamedTuple):
    """What a query gave."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    is_cut: bool


def sql(site: Site, asked: Asked) -> Reply:
    """Return the page of queries, with a result if there is a query."""
    query = asked.get("q").strip()
    result, failed = None, None
    if query:
        try:
            result = run_query(site, query)
        except (QueryFailed, DatabaseUnusable, FleetError) as error:
            failed = error
    if asked.form != "html":
        return _data(asked, result, failed)
    return html(
        site,
        asked,
        "sql.html",
        query=query,
        result=result,
        failed=failed and in_parts(failed),
        chart=result and chart_of(result),
        saved=FLEET_SAVED if site.is_fleet else SAVED,
        schema=site.readers.schema(PAGE_SECONDS),
        shown=_SHOWN,
        seconds=SECONDS,
    )


def run_query(site: Site, query: str) -> Result:
    """Return the rows of a query, up to a limit.

    Raises QueryFailed, DatabaseUnusable or FleetError.
    """
    if not _AT_ONCE.acquire(timeout=SECONDS):
        busy = QueryFailed("two queries are running already")
        busy.hint = "Ask again when they are done"
        raise busy
    try:
        with site.readers.query(query, SECONDS) as answer:
            rows = [tuple(map(_cell, row)) for row in islice(answer.rows, _MOST_ROWS + 1)]
            return Result(answer.columns, rows[:_MOST_ROWS], len(rows) > _MOST_ROWS)
    finally:
        _AT_ONCE.release()


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        return value[:_MOST_CELL].hex()
    if isinstance(value, (list, dict)):
        value = to_json(value)
    return value[:_MOST_CELL] if isinstance(value, str) else value


def chart_of(result: Result) -> Optional[Bars]:
    """Return bars of the first column of numbers, if the first column names things."""
    rows = result.rows[:_CHARTED]
    if len(rows) < 2 or not all(isinstance(row[0], str) for row in rows):
        return None
    for place in range(1, len(result.columns)):
        values = [row[place] for row in rows]
        if all(isinstance(value, (int, float)) and 0 <= value < 1e15 for value in values):
            return single_bars(
                [(text(row[0])[:12], f"{text(row[0])}: {row[place]:,}", row[place]) for row in rows]
            )
    return None


def _data(asked: Asked, result: Optional[Result], failed: Optional[Exception]) -> Reply:
    if result is None:
        nothing = ("there is no query: say ?q=SELECT...", "")
        reason, hint = in_parts(failed) if failed else nothing
        return json({"error": reason, "hint": hint}, 400)
    if asked.form == "csv":
        return csv(result.columns, result.rows)
    rows = [dict(zip(result.columns, row)) for row in result.rows]
    return json({"rows": rows, "is_cut": result.is_cut})
