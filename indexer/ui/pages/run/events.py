"""The events of a run, and its raw lines.

Called by the page of a run.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Union

import orjson

from indexer.ui.queries.run.events import Event, EventFilter, event_of, events_of
from indexer.ui.site import MOST_BYTES, Asked, Reply, Site


def events(
    connection: sqlite3.Connection, _site: Site, run_id: str, asked: Asked
) -> Union[dict[str, Any], Reply]:
    """Return what the tab of events shows, or the whole payload of one."""
    if asked.get("part") == "payload":
        payload = event_of(connection, run_id, asked.get("event"))
        data = (payload or "").encode("utf-8", "replace")[:MOST_BYTES]
        # As text, whatever it is: nothing an agent wrote is shown as a page.
        return Reply(data, "text/plain; charset=utf-8", 404 if payload is None else 200)
    wanted = EventFilter(asked.get("q"), asked.get("type"), asked.get("before"), asked.get("after"))
    page = events_of(connection, run_id, wanted)
    return {
        "page": page,
        "text": asked.get("q"),
        "kind": asked.get("type"),
        "data": [_as_json(event) for event in page.events],
    }


def raw(
    connection: sqlite3.Connection, _site: Site, run_id: str, asked: Asked
) -> Union[dict[str, Any], Reply]:
    """Return what the tab of raw lines shows: events as in the log, and where they are."""
    wanted = EventFilter(before=asked.get("before"), after=asked.get("after"))
    page = events_of(connection, run_id, wanted)
    return {
        "page": page,
        "lines": [(event, line_of(event, run_id)) for event in page.events],
        "data": [_as_json(event) for event in page.events],
    }


def line_of(event: Event, run_id: str) -> str:
    """Return an event as a line of the log would have it."""
    known = {
        "id": event.event_id,
        "source": event.source,
        "type": event.type,
        "subject": run_id,
        "time": event.timestamp,
    }
    head = orjson.dumps(known).decode()[:-1]
    return f'{head},"data":{event.payload or "null"}' + "}"


def _as_json(event: Event) -> dict[str, Any]:
    return event._asdict()
