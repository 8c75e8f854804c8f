"""List the tabs of a run: what each reads, and how many things are in it.

Called by the page of a run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Optional, Union

from indexer.ui.pages.run.compare import compare
from indexer.ui.pages.run.events import events, raw
from indexer.ui.pages.run.metrics import metrics, usage
from indexer.ui.pages.run.spans import spans
from indexer.ui.pages.run.transcript import transcript
from indexer.ui.queries.run.metrics import count_of_series
from indexer.ui.queries.run.span import count_of_spans
from indexer.ui.queries.run.transcript import is_session
from indexer.ui.queries.runs import Row
from indexer.ui.site import Asked, Reply, Site

Values = dict[str, Any]
Read = Callable[[sqlite3.Connection, Site, str, Asked], Union[Values, Reply]]


class Tab(NamedTuple):
    """One way to look at a run."""

    name: str
    title: str
    read: Read

    def as_json(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a program gets of the tab."""
        return {"data": values.get("data")}


TABS = {
    tab.name: tab
    for tab in (
        Tab("spans", "Spans", spans),
        Tab("events", "Events", events),
        Tab("metrics", "Metrics", metrics),
        Tab("usage", "Usage", usage),
        Tab("transcript", "Transcript", transcript),
        Tab("raw", "Raw", raw),
        Tab("compare", "Compare", compare),
    )
}


def counts_of(connection: sqlite3.Connection, row: Row) -> dict[str, Optional[int]]:
    """Return how many things are in each tab; None where there is nothing to count."""
    events = row.run.event_count
    return {
        "events": events if isinstance(events, int) else None,
        "spans": count_of_spans(connection, row.run.run_id),
        "transcript": None if is_session(connection, row.run.run_id) else 0,
        "metrics": count_of_series(connection, row.run.run_id),
    }
