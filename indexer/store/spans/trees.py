"""Query the spans of a run, and of the runs inside it, as rows for a tree."""

from __future__ import annotations

import re
import sqlite3
from typing import Any, NamedTuple, Optional

MOST_LEVELS = 100
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")

# Of a circle of parents each run comes once.
_INSIDE = f"""WITH RECURSIVE inside (run_id, depth) AS (
  SELECT :run_id, 0
  UNION
  SELECT child.run_id, inside.depth + 1
  FROM agent_runs AS child JOIN inside ON child.parent_run_id = inside.run_id
  WHERE inside.depth < {MOST_LEVELS} AND child.run_id <> :run_id
)
SELECT * FROM agent_runs WHERE run_id IN (SELECT run_id FROM inside)
ORDER BY start_time, run_id"""


class TraceContext(NamedTuple):
    """What a program that a run started would name as what it is part of."""

    trace: str
    """The id of the run that such a trace is."""
    span: str


def runs_inside(connection: sqlite3.Connection, run_id: str) -> list[dict[str, Any]]:
    """Return the rows of a run and of all runs inside it, at any depth, by start.

    The trace that another program began under a run's `TRACEPARENT` is inside that run.
    """
    rows = _dicts(connection.execute(_INSIDE, {"run_id": run_id}))
    known = {row["run_id"] for row in rows}
    for row in list(rows):
        for trace in _trace_begun_in(connection, row["run_id"]):
            if trace["run_id"] not in known:
                known.add(trace["run_id"])
                rows.append({**trace, "parent_run_id": row["run_id"]})
    return rows


def _trace_begun_in(connection: sqlite3.Connection, run_id: str) -> list[dict[str, Any]]:
    """The run of the trace that a run's own context is part of, if a span there names the run.

    Rows do not say so: the trace may come before the run, after it, or never.
    """
    context = context_of(connection, run_id)
    if context is None:
        return []
    return _dicts(
        connection.execute(
            "SELECT * FROM agent_runs WHERE run_id = :trace AND EXISTS (SELECT 1 FROM run_spans"
            " WHERE run_id = :trace AND parent_span_id = :span)",
            context._asdict(),
        )
    )


def context_of(connection: sqlite3.Connection, run_id: str) -> Optional[TraceContext]:
    """Return the context that a run gave to other programs; None if it gave none."""
    found = connection.execute(
        "SELECT json_extract(extra_json, '$.traceparent') FROM run_events"
        " WHERE run_id = ? AND type = 'run.started' AND extra_json IS NOT NULL LIMIT 1",
        (run_id,),
    ).fetchone()
    context = _TRACEPARENT.fullmatch(str(found[0])) if found else None
    return TraceContext(f"trace-{context[1]}", context[2]) if context else None


def spans_of_run(connection: sqlite3.Connection, run_id: str) -> list[dict[str, Any]]:
    """Return the rows of a run's spans, by start."""
    return _dicts(
        connection.execute(
            "SELECT * FROM run_spans WHERE run_id = ? ORDER BY start_time, span_id", (run_id,)
        )
    )


def last_metrics(connection: sqlite3.Connection, run_id: str) -> list[dict[str, Any]]:
    """Return of each metric of a run how many values it has, the last, and their range."""
    return _dicts(
        connection.execute(
            "SELECT name, count(*) AS points, min(value) AS least, max(value) AS most,"
            " max(step) AS last_step,"
            " (SELECT value FROM run_metrics AS one WHERE one.run_id = all_of.run_id"
            "  AND one.name = all_of.name ORDER BY time DESC, event_id DESC LIMIT 1) AS last"
            " FROM run_metrics AS all_of WHERE run_id = ? GROUP BY name",
            (run_id,),
        )
    )


def _dicts(rows: sqlite3.Cursor) -> list[dict[str, Any]]:
    names = [column[0] for column in rows.description]
    return [dict(zip(names, row)) for row in rows]
