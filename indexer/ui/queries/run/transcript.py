"""The transcript of a run that was imported from a session file.

Called by the page of a run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Optional

import orjson

from indexer.semantics.sessions.line import SessionLine, read_line
from indexer.semantics.values import mapping
from indexer.ui.transcript import claude_code, codex, gemini
from indexer.ui.transcript.entry import Entry

PAGE_ENTRIES = 200
_MOST_LINES = 20_000

_READERS: dict[str, Callable[[list[SessionLine]], Iterator[Optional[Entry]]]] = {
    "session.claude-code": claude_code.entries,
    "session.codex": codex.entries,
    "session.gemini": gemini.entries,
}
_TYPES = ", ".join(f"'{name}'" for name in _READERS)


@dataclass(frozen=True)
class Transcript:
    """A piece of a session."""

    entries: list[Entry]
    total: int
    is_cut: bool
    """Whether the session has more lines than were read."""


def is_session(connection: sqlite3.Connection, run_id: str) -> bool:
    """Return whether a run was imported from a session file."""
    sql = f"SELECT 1 FROM run_events WHERE run_id = ? AND type IN ({_TYPES}) LIMIT 1"
    return connection.execute(sql, (run_id,)).fetchone() is not None


def transcript_of(connection: sqlite3.Connection, run_id: str, start: int) -> Transcript:
    """Return the entries of a session from a number on."""
    rows = connection.execute(
        f"SELECT event_id, type, payload_json FROM run_events WHERE run_id = ? AND type IN"
        f" ({_TYPES}) ORDER BY timestamp, event_id LIMIT ?",
        (run_id, _MOST_LINES + 1),
    ).fetchall()
    lines: dict[str, list[SessionLine]] = {}
    for event_id, kind, payload in rows[:_MOST_LINES]:
        lines.setdefault(kind, []).append(
            read_line(event_id, mapping(orjson.loads(payload or "{}")))
        )
    found: list[Entry] = []
    for kind, some in lines.items():
        some.sort(key=lambda line: line.place)
        found += [entry for entry in _READERS[kind](some) if entry is not None]
    return Transcript(found[start : start + PAGE_ENTRIES], len(found), len(rows) > _MOST_LINES)
