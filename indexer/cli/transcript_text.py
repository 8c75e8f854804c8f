"""The transcript of an imported session as text.

Called by `telemetry show --transcript`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Callable, Optional

import orjson

from indexer.semantics.sessions.line import SessionLine, read_line
from indexer.semantics.values import mapping
from indexer.terminal.format import local_time, plain
from indexer.ui.transcript import claude_code, codex, gemini
from indexer.ui.transcript.entry import Entry

_READERS: dict[str, Callable[[list[SessionLine]], Iterator[Optional[Entry]]]] = {
    "session.claude-code": claude_code.entries,
    "session.codex": codex.entries,
    "session.gemini": gemini.entries,
}


def transcript_lines(connection: sqlite3.Connection, run_id: str) -> Iterator[str]:
    """Yield the lines of a session's transcript; none for a run that is no session."""
    for entry in _entries(connection, run_id):
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


def _entries(connection: sqlite3.Connection, run_id: str) -> Iterator[Entry]:
    rows = connection.execute(
        "SELECT event_id, type, payload_json FROM run_events"
        " WHERE run_id = ? AND type LIKE 'session.%'",
        (run_id,),
    )
    lines: dict[str, list[SessionLine]] = {}
    for event_id, kind, payload in rows:
        if kind in _READERS:
            line = read_line(event_id, mapping(orjson.loads(payload or "{}")))
            lines.setdefault(kind, []).append(line)
    for kind, some in lines.items():
        some.sort(key=lambda line: line.place)
        yield from (entry for entry in _READERS[kind](some) if entry is not None)
