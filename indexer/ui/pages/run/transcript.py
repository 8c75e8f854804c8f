"""The transcript of a run that was imported from a session file.

Called by the page of a run.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Union

from indexer.ui.queries.run.transcript import PAGE_ENTRIES, transcript_of
from indexer.ui.site import Asked, Reply, Site


def transcript(
    connection: sqlite3.Connection, _site: Site, run_id: str, asked: Asked
) -> Union[dict[str, Any], Reply]:
    """Return what the tab shows."""
    start = asked.number("from", 1, 1_000_000) - 1
    found = transcript_of(connection, run_id, start)
    return {
        "transcript": found,
        "start": start,
        "page_entries": PAGE_ENTRIES,
        "data": [
            {**entry._asdict(), "blocks": [list(b) for b in entry.blocks]}
            for entry in found.entries
        ],
    }
