"""The transcript of an imported session as text.

Called by `telemetry show --transcript`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from indexer.terminal.format import local_time, plain
from indexer.ui.queries.run.transcript import entries_of, session_lines


def transcript_lines(connection: sqlite3.Connection, run_id: str) -> Iterator[str]:
    """Yield the lines of a session's transcript; none for a run that is no session."""
    for entry in entries_of(session_lines(connection, run_id)):
        title = f" {plain(entry.title)}" if entry.title else ""
        failed = " (failed)" if entry.is_error else ""
        moment = f"  {local_time(entry.time)}" if entry.time else ""
        yield f"## {entry.role}{title}{failed}{moment}"
        yield ""
        for block in entry.blocks:
            margin = "" if block.kind == "text" else "    "
            for line in block.text.splitlines() or [""]:
                yield f"{margin}{plain(line)}".rstrip()
            yield ""
