"""`/runs`: the list of runs, filtered and sorted by its address.

Called by the application. Also answers which of some runs belong on the list, for live updates.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Optional
from urllib.parse import quote

from indexer.store.search.query import runs_with
from indexer.terminal.format import count, many
from indexer.ui.guard import MOST_QUERY_BYTES
from indexer.ui.pages.words import PERIODS, day, period_in_words
from indexer.ui.queries.as_sql import runs_as_sql
from indexer.ui.queries.count import Count, count_runs
from indexer.ui.queries.filters import STALE, Place, RunFilter, condition_of, parse_filter
from indexer.ui.queries.runs import (
    MOST_ROWS,
    PAGE_ROWS,
    SORTS,
    Row,
    Run,
    RunPage,
    children_of,
    matching_rows,
    order_of,
    run_page,
    sorted_page,
)
from indexer.ui.rendering import sentence_list
from indexer.ui.site import PAGE_SECONDS, Asked, Reply, Site, csv, html, json
from telemetry_core.status import STATUSES

_MOST_IDS = 100
_MOST_WORDS = 5
_MOST_FOUND = 200
COLUMNS = {
    "started": "Started",
    "duration": "Duration",
    "items": "Items",
    "cost": "Cost",
    "error": "Error",
    "events": "Events",
    "host": "Host",
    "run": "Run",
}
"""What can be shown besides status and agent."""
_USUAL_COLUMNS = ("started", "duration", "items", "cost", "error")


def runs(site: Site, asked: Asked) -> Reply:
    """Return the list of runs."""
    wanted = parse_filter(asked.last, asked.lists)
    with site.readers.connection(PAGE_SECONDS) as connection:
        wanted = _with_events(connection, wanted)
        if asked.get("part") == "rows":
            return _rows(site, asked, matching_rows(connection, wanted, _ids(asked)))
        page = _page(connection, asked, wanted)
        if asked.form == "json":
            return json(_as_json(page))
        if asked.form == "csv":
            return csv([*Run._fields, "stale", "cost_usd"], [_as_record(row) for row in page.rows])
        counted = count_runs(connection, wanted)
        opened = {
            run_id: children_of(connection, run_id) for run_id in asked.lists.get("open", ())[:20]
        }
    return html(
        site,
        asked,
        "runs.html",
        runs=wanted,
        page=page,
        counted=counted,
        opened=opened,
        sentence=sentence(wanted, counted),
        periods=PERIODS,
        statuses=(*STATUSES, STALE),
        columns=_columns(asked),
        all_columns=COLUMNS,
        sorts=SORTS,
        sort=_sort(asked),
        searched=day(page.searched_to) if page.searched_to else "",
        query=asked.query,
        as_sql=_as_sql(asked, wanted),
    )


def _as_sql(asked: Asked, wanted: RunFilter) -> str:
    """Return the query behind the list, empty if it is too long for an address."""
    sort = _sort(asked)
    order = order_of(sort) if sort else "runs.start_time DESC, runs.run_id DESC"
    limit = asked.number("limit", PAGE_ROWS, MOST_ROWS)
    query = runs_as_sql(condition_of(wanted), order, limit)
    # What the search index found are ids; with many of them no address can hold the query.
    return query if len(quote(query)) < MOST_QUERY_BYTES - 100 else ""


def _with_events(connection: sqlite3.Connection, wanted: RunFilter) -> RunFilter:
    """Return the filter with the runs whose events have its words, as the search index says."""
    words = wanted.text.split()[:_MOST_WORDS]
    return replace(
        wanted, in_events={word: runs_with(connection, word, _MOST_FOUND) for word in words}
    )


def _rows(site: Site, asked: Asked, rows: Sequence[Row]) -> Reply:
    return html(site, asked, "runs_rows.html", rows=rows, columns=_columns(asked))


def _ids(asked: Asked) -> list[str]:
    return list(asked.lists.get("ids", ()))[:_MOST_IDS]


def _page(connection: sqlite3.Connection, asked: Asked, wanted: RunFilter) -> RunPage:
    limit = asked.number("limit", PAGE_ROWS, MOST_ROWS)
    sort = _sort(asked)
    if sort:
        return sorted_page(connection, wanted, sort, limit)
    return run_page(
        connection, wanted, limit, _place(asked.get("before")), _place(asked.get("after"))
    )


def _sort(asked: Asked) -> str:
    return asked.get("sort") if asked.get("sort") in SORTS else ""


def _columns(asked: Asked) -> list[str]:
    chosen = [name for value in asked.lists.get("cols", ()) for name in value.split(",")]
    return [name for name in chosen if name in COLUMNS] or list(_USUAL_COLUMNS)


def _place(text: str) -> Optional[Place]:
    """Return the place that a link to the next page names: a time and an id."""
    start, _, run_id = text.partition(" ")
    return Place(start, run_id) if text else None


def sentence(wanted: RunFilter, counted: Count) -> str:
    """Return how many runs there are and how they went, in one sentence."""
    period = period_in_words(wanted.since, wanted.until)
    if not counted.runs:
        looked = " of those looked through" if counted.is_more else ""
        return f"No run{looked} matches {period}".strip() + "."
    number = "More than 1,000 runs" if counted.is_more else many(counted.runs, "run")
    outcomes = [
        f"{count(counted.by_status[status])} {word}"
        for status, word in (
            ("failed", "failed"),
            ("timeout", "timed out"),
            ("running", "running"),
        )
        if counted.by_status.get(status)
    ]
    sentence = ", ".join(
        part for part in (f"{number} {period}".strip(), sentence_list(outcomes)) if part
    )
    newest = " among the newest 1,000" if counted.is_more and outcomes else ""
    return f"{sentence}{newest}."


def _as_record(row: Row) -> list[Any]:
    return [*row.run, row.stale or None, row.cost_usd]


def _as_json(page: RunPage) -> dict[str, Any]:
    return {
        "runs": [
            {
                **row.run._asdict(),
                "stale": row.stale or None,
                "children": row.children,
                "cost_usd": row.cost_usd,
            }
            for row in page.rows
        ],
        "older": page.older and " ".join(page.older),
        "searched_to": page.searched_to or None,
    }
