"""`/runs/RUN_ID`: one run, with a tab for each way to look at it.

Called by the application. Tabs that have nothing to show are named and not links.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional
from urllib.parse import unquote

from indexer.terminal.format import duration, seconds_since
from indexer.ui.pages.failure import Said, message
from indexer.ui.pages.run.tabs import TABS, Tab, counts_of
from indexer.ui.queries.run.fields import fields_of, full_id, near_ids, worth_showing
from indexer.ui.queries.runs import Row, Run, runs_by_id, with_details
from indexer.ui.rendering import short, text
from indexer.ui.site import PAGE_SECONDS, Asked, Reply, Site, html, json

_PREFIX = "/runs/"
_SPANS = "spans"


@dataclass(frozen=True)
class Subject:
    """The run that a page is about."""

    row: Row
    fields: Mapping[str, Any]
    parent: Optional[Run]

    @property
    def title(self) -> str:
        """What a browser's tab says: the mark of the status, then whose run it is."""
        marks = {"success": "\u2713", "failed": "\u2717", "running": "\u25d4", "timeout": "\u2717"}
        mark = marks.get(self.row.status, "\u25cb")
        return f"{mark} {text(self.row.status)}: {short(self.row.run.agent_name)}"


def run(site: Site, asked: Asked) -> Reply:
    """Return the page of a run."""
    run_id = asked.path[len(_PREFIX) :]
    with site.readers.connection(PAGE_SECONDS, _about(run_id, asked)) as connection:
        subject, form = _find(connection, run_id)
        if subject is None:
            return _no_such_run(site, asked, connection, run_id)
        tab = TABS.get(asked.get("tab", _SPANS), TABS[_SPANS])
        values = tab.read(connection, site, subject.row.run.run_id, asked)
        if isinstance(values, Reply):
            return values
        if form == "json":
            return json({"run": dict(subject.fields), "tab": tab.name, **tab.as_json(values)})
        counts = counts_of(connection, subject.row)
    return html(
        site,
        asked,
        f"run/{tab.name}.html",
        subject=subject,
        run=subject.row.run,
        row=subject.row,
        sentence=sentence(subject.row),
        tabs=_tabs(counts),
        tab=tab.name,
        fields=worth_showing(subject.fields),
        query=asked.query,
        **values,
    )


def _about(asked_id: str, asked: Asked) -> list[str]:
    """Return which runs the page is about, by what the address says of their ids."""
    run_id = unquote(asked_id) if "%" in asked_id else asked_id
    return [one for one in (run_id.removesuffix(".json"), asked.get("with")) if one]


def _find(connection: sqlite3.Connection, asked_id: str) -> tuple[Optional[Subject], str]:
    """Return the run of an address, and the form that its suffix asks for."""
    run_id = unquote(asked_id) if "%" in asked_id else asked_id
    for wanted, form in ((run_id, "html"), (run_id[: -len(".json")], "json")):
        if form == "json" and not run_id.endswith(".json"):
            continue
        found = full_id(connection, wanted) if wanted else None
        fields = None if found is None else fields_of(connection, found)
        if found is not None and fields is not None:
            return _subject(connection, found, fields), form
    return None, "html"


def _subject(connection: sqlite3.Connection, run_id: str, fields: Mapping[str, Any]) -> Subject:
    (row,) = with_details(connection, runs_by_id(connection, [run_id]))
    parents = runs_by_id(connection, [str(row.run.parent_run_id)])
    return Subject(row, fields, parents[0] if parents else None)


def _no_such_run(site: Site, asked: Asked, connection: sqlite3.Connection, wanted: str) -> Reply:
    what = f"There is no run {wanted[:200]}."
    todo = "It may not be indexed yet, or belong to another base directory."
    near = near_ids(connection, wanted)
    return message(site, asked, Said(404, "No such run", what, todo, near))


def _tabs(counts: Mapping[str, Optional[int]]) -> list[tuple[Tab, Optional[int]]]:
    return [(tab, counts.get(name)) for name, tab in TABS.items()]


def sentence(row: Row) -> str:
    """Return how the run is, in a few words."""
    run = row.run
    if row.stale == "process gone":
        return f"killed: its process is gone, last heard of after {_until_last_event(run)}"
    if row.stale:
        since = duration(1000 * seconds_since(run.last_event_time))
        return f"silent for {since}, and may be dead"
    if run.is_running:
        return f"running for {duration(run.elapsed_ms)}"
    took = duration(run.duration_ms)
    return f"{text(run.status)} after {took}" if took else text(run.status)


def _until_last_event(run: Run) -> str:
    length = seconds_since(run.start_time) - seconds_since(run.last_event_time)
    return duration(max(0.0, length) * 1000)
