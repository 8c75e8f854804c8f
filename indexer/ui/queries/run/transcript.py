"""The transcript of a run that was imported from a session file.

Called by the page of a run, and by `telemetry show --transcript`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from indexer.semantics.event_types import SESSION_EVENTS
from indexer.semantics.sessions.entry import Entry
from indexer.semantics.sessions.line import SessionLine, read_line
from indexer.semantics.sessions.tools import tool_of_type
from indexer.semantics.values import mapping

PAGE_ENTRIES = 200
_MOST_LINES = 20_000

_TYPES = ", ".join(f"'{name}'" for name in sorted(SESSION_EVENTS))


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
    lines = session_lines(connection, run_id, _MOST_LINES + 1)
    found = list(entries_of(lines[:_MOST_LINES]))
    return Transcript(found[start : start + PAGE_ENTRIES], len(found), len(lines) > _MOST_LINES)


def session_lines(
    connection: sqlite3.Connection, run_id: str, limit: int = -1
) -> list[tuple[str, SessionLine]]:
    """Return the lines of a session, each with the type of its event, the oldest first."""
    rows = connection.execute(
        f"SELECT event_id, type, payload_json FROM run_events WHERE run_id = ? AND type IN"
        f" ({_TYPES}) ORDER BY timestamp, event_id LIMIT ?",
        (run_id, limit),
    )
    return [
        (kind, read_line(event_id, mapping(orjson.loads(payload or "{}"))))
        for event_id, kind, payload in rows
    ]


def entries_of(lines: Iterable[tuple[str, SessionLine]]) -> Iterator[Entry]:
    """Yield what was said and done in a session, in the order of its lines."""
    by_type: dict[str, list[SessionLine]] = {}
    for kind, line in lines:
        by_type.setdefault(kind, []).append(line)
    for kind, some in by_type.items():
        some.sort(key=lambda line: line.place)
        yield from (entry for entry in tool_of_type(kind).entries(some) if entry is not None)
