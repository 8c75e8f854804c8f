"""`/sql`: a query of the user's own, read-only for certain, with a table and a chart.

Called by the application. What may be asked is decided where `telemetry sql` has it decided.
"""

from __future__ import annotations

import threading
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple, Optional

from indexer.errors import DatabaseUnusable, QueryFailed
from indexer.store.connection import open_reader
from indexer.store.query import Query
from indexer.ui.charts.bars import Bars, single_bars
from indexer.ui.queries.saved import SAVED
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
        except (QueryFailed, DatabaseUnusable) as error:
            failed = error
    if asked.form != "html":
        return _data(asked, result, failed)
    return html(
        site,
        asked,
        "sql.html",
        query=query,
        result=result,
        failed=failed,
        hint=getattr(failed, "hint", ""),
        chart=result and chart_of(result),
        saved=SAVED,
        schema=_schema(site),
        shown=_SHOWN,
        seconds=SECONDS,
    )


def run_query(site: Site, query: str) -> Result:
    """Return the rows of a query, up to a limit. Raises QueryFailed or DatabaseUnusable."""
    if not _AT_ONCE.acquire(timeout=SECONDS):
        busy = QueryFailed("two queries are running already")
        busy.hint = "Ask again when they are done"
        raise busy
    try:
        with closing(open_reader(site.base.database_path)) as connection:
            running = Query(connection, query, SECONDS)
            rows = [tuple(map(_cell, row)) for row in islice(running.rows(), _MOST_ROWS + 1)]
            return Result(running.columns, rows[:_MOST_ROWS], len(rows) > _MOST_ROWS)
    finally:
        _AT_ONCE.release()


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        return value[:_MOST_CELL].hex()
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


def _schema(site: Site) -> dict[str, list[str]]:
    """Return tables and views with the names of their columns."""
    sql_text = (
        "SELECT objects.name, columns.name FROM sqlite_master AS objects,"
        " pragma_table_info(objects.name) AS columns WHERE objects.type IN ('table', 'view')"
        " ORDER BY objects.type, objects.name, columns.cid"
    )
    schema: dict[str, list[str]] = {}
    with site.readers.connection(PAGE_SECONDS) as connection:
        for name, column in connection.execute(sql_text):
            schema.setdefault(name, []).append(column)
    return schema


def _data(asked: Asked, result: Optional[Result], failed: Optional[Exception]) -> Reply:
    if result is None:
        reason = str(failed) if failed else "there is no query: say ?q=SELECT..."
        return json({"error": reason, "hint": getattr(failed, "hint", "")}, 400)
    if asked.form == "csv":
        return csv(result.columns, result.rows)
    rows = [dict(zip(result.columns, row)) for row in result.rows]
    return json({"rows": rows, "is_cut": result.is_cut})
