"""Query what a run was doing when it was last heard of.

A span is written when it starts and when it ends, so that a process that was killed leaves open
those that it died in.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple, Optional

from telemetry_core.timestamp import parse_time

_MOST_LEVELS = 1_000
_CALLS = {"llm": "llm_call", "tool": "tool_call"}


class LastSpan(NamedTuple):
    """The span that a run was in."""

    span_id: str
    name: str
    kind: str
    seconds: Optional[float]
    """From its start to the last event of the run; None where that is absurd."""
    depth: int
    """How many spans deep it is: 1 for a span directly in the run."""

    def sentence(self, is_dead: bool) -> str:
        """Return in words what the run was doing: `killed in tool_call search after 3.2 s, ...`."""
        deep = "1 span" if self.depth == 1 else f"{self.depth} spans"
        # Without a later event nothing tells how long it went on.
        after = f" after {self.seconds:.1f} s" if self.seconds else ""
        return f"{'killed' if is_dead else 'last'} in {self.kind} {self.name}{after}, {deep} deep"


def last_span(connection: sqlite3.Connection, run_id: str) -> Optional[LastSpan]:
    """Return the open span that started last in a run that has not ended; None if there is none."""
    row = connection.execute(
        "SELECT spans.span_id, spans.name, spans.kind, spans.start_time, spans.tool_name,"
        " runs.last_event_time"
        " FROM run_spans AS spans INDEXED BY run_spans_open"
        " JOIN agent_runs AS runs ON runs.run_id = spans.run_id"
        " WHERE spans.run_id = ? AND spans.end_time IS NULL AND spans.is_owner = 1"
        " AND runs.status = 'running'"
        " ORDER BY spans.start_time DESC, spans.span_id LIMIT 1",
        (run_id,),
    ).fetchone()
    if row is None:
        return None
    span_id, name, kind, start, tool, last_heard = row
    return LastSpan(
        span_id,
        tool or name or span_id,
        _CALLS.get(kind, kind or "span"),
        _seconds(start, last_heard),
        _depth(connection, run_id, span_id),
    )


def last_spans(connection: sqlite3.Connection, run_ids: Iterable[str]) -> dict[str, LastSpan]:
    """Return what each of some runs was doing, of those that were in a span."""
    found = ((run_id, last_span(connection, run_id)) for run_id in run_ids)
    return {run_id: span for run_id, span in found if span is not None}


def _depth(connection: sqlite3.Connection, run_id: str, span_id: str) -> int:
    """How many spans stand on the way up; in a circle of parents each once."""
    seen: list[str] = []
    one: Optional[str] = span_id
    while one is not None and one not in seen and len(seen) < _MOST_LEVELS:
        row = connection.execute(
            "SELECT parent_span_id FROM run_spans WHERE run_id = ? AND span_id = ?", (run_id, one)
        ).fetchone()
        if row is None:
            break
        seen.append(one)
        one = row[0]
    return len(seen)


def _seconds(start: Optional[str], end: Optional[str]) -> Optional[float]:
    if start is None or end is None:
        return None
    seconds = (parse_time(end) - parse_time(start)).total_seconds()
    return seconds if seconds >= 0 else None
