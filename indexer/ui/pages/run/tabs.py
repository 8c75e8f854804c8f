"""The tabs of a run: what each reads, and how many things are in it.

Called by the page of a run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Optional, Union

from indexer.ui.pages.run.compare import compare
from indexer.ui.pages.run.events import events, raw
from indexer.ui.pages.run.spans import spans
from indexer.ui.queries.runs import Run
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
        Tab("raw", "Raw", raw),
        Tab("compare", "Compare", compare),
    )
}


def counts_of(run: Run) -> dict[str, Optional[int]]:
    """Return how many things are in each tab; tabs without a number are left out."""
    return {"events": run.event_count if isinstance(run.event_count, int) else None}
