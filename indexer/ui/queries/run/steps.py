"""Query the steps of a run: the run itself, the runs inside it, and all their spans.

Called by the page of a run. Times are milliseconds from the first start, so that all steps share
one axis.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from indexer.ui.queries.runs import RUN_COLUMNS, Row, Run, with_details
from indexer.ui.rendering import tokens
from telemetry_core.timestamp import moment_of, parse_time

MOST_RUNS = 1_000
MOST_STEPS = 20_000
_MOST_NAME = 200

OPEN = "open"
KILLED = "killed"
ERROR = "error"
OK = "ok"


@dataclass(frozen=True)
class Step:
    """A run or a span: one line of the waterfall."""

    key: str
    """Unique among the steps."""
    parent: str
    """The key of the step around it; empty for none."""
    run_id: str
    span_id: str
    """Empty for a run."""
    kind: str
    """`run`, or the kind of the span."""
    name: str
    start: float
    end: Optional[float]
    """None while it is open."""
    state: str
    """`ok`, `error`, `open`, `killed`, or the status of a run."""
    note: str = ""
    """Shown next to the name: tokens, an item, a count."""

    @property
    def has_failed(self) -> bool:
        """Whether it went wrong."""
        return self.state in ("error", "failed", "timeout")

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.end is None


@dataclass(frozen=True)
class Family:
    """A run with all that happened inside it."""

    origin: str
    """UTC, the moment that the steps' times count from."""
    steps: list[Step]
    rows: list[Row]
    """The runs: first the one asked for."""
    is_cut: bool
    """Whether there are more than are shown."""


_FAMILY = f"""WITH RECURSIVE inside (run_id, depth) AS (
  VALUES (?, 0)
  UNION
  SELECT child.run_id, inside.depth + 1 FROM agent_runs AS child
  JOIN inside ON child.parent_run_id = inside.run_id WHERE inside.depth < 50
  LIMIT {MOST_RUNS + 1}
)
SELECT {RUN_COLUMNS} FROM inside JOIN agent_runs AS runs ON runs.run_id = inside.run_id
ORDER BY inside.depth, runs.start_time, runs.run_id"""

_SPANS = """SELECT run_id, span_id, parent_span_id, name, kind, status, start_time, end_time,
  duration_ms, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens
FROM run_spans WHERE run_id = ? ORDER BY start_time, span_id LIMIT ?"""
_START = 6
"""Where its start is in a row of these."""


def family_of(connection: sqlite3.Connection, run_id: str) -> Optional[Family]:
    """Return a run with what happened inside it; None if there is no such run."""
    unique = runs_inside(connection, run_id)
    if not unique:
        return None
    rows = with_details(connection, unique[:MOST_RUNS])
    spans = _spans(connection, [row.run.run_id for row in rows])
    # Reading a time is what takes longest here: once for each span.
    starts = [_moment(span[_START]) for span in spans]
    origin = min([_moment(row.run.start_time) for row in rows] + starts)
    steps = [_step_of_run(row, origin, run_id) for row in rows]
    ends = {
        row.run.run_id: step.end
        for row, step in zip(rows, steps)
        if row.stale or not row.run.is_running
    }
    steps += [
        _step_of_span(span, start - origin, origin, ends) for span, start in zip(spans, starts)
    ]
    is_cut = len(unique) > MOST_RUNS or len(steps) > MOST_STEPS
    start = moment_of(origin / 1000)
    return Family(start.isoformat(), steps[:MOST_STEPS], rows, is_cut)


def runs_inside(connection: sqlite3.Connection, run_id: str) -> list[Run]:
    """Return a run and the runs inside it, one more than are shown at most."""
    runs = [Run(*row) for row in connection.execute(_FAMILY, (run_id,))]
    # A run that is its own ancestor comes twice.
    return list({run.run_id: run for run in runs}.values())


def _spans(connection: sqlite3.Connection, run_ids: Iterable[str]) -> list[Sequence[Any]]:
    found: list[Sequence[Any]] = []
    for run_id in run_ids:
        left = MOST_STEPS + 1 - len(found)
        if left <= 0:
            break
        found += connection.execute(_SPANS, (run_id, left)).fetchall()
    return found


def _step_of_run(row: Row, origin: float, root: str) -> Step:
    run = row.run
    start = _moment(run.start_time) - origin
    end = _end(start, run.end_time, run.duration_ms, origin)
    if run.is_running:
        # What the process last said is the last that is known of a run whose process is gone.
        end = _moment(run.last_event_time) - origin if row.stale else None
    state = KILLED if row.stale else (OPEN if run.is_running else str(run.status))
    parent = "" if run.run_id == root else f"run:{run.parent_run_id}"
    name = f"{run.agent_name} / {run.job_type}"[:_MOST_NAME]
    note = "" if run.item_name is None else str(run.item_name)[:_MOST_NAME]
    return Step(f"run:{run.run_id}", parent, run.run_id, "", "run", name, start, end, state, note)


def _step_of_span(
    span: Sequence[Any], start: float, origin: float, ends: Mapping[str, Optional[float]]
) -> Step:
    """Return a span as a step; `ends` has the end of each run that can end no span any more."""
    run_id, span_id, parent, name, kind, status, _, ended_at, duration, *usage = span
    end = _end(start, ended_at, duration, origin)
    state = str(status or OK)
    if end is None:
        state = KILLED if run_id in ends else OPEN
        last = ends.get(run_id)
        end = None if last is None else max(start, last)
    return Step(
        f"span:{run_id} {span_id}",
        f"span:{run_id} {parent}" if parent else f"run:{run_id}",
        run_id,
        span_id,
        str(kind),
        str(name)[:_MOST_NAME],
        start,
        end,
        state,
        _usage_note(usage),
    )


def _usage_note(usage: Sequence[Any]) -> str:
    """Return tokens in and out, as `1.2k>80`."""
    numbers = [one if isinstance(one, (int, float)) else 0 for one in usage]
    return f"{tokens(sum(numbers[:3]))}>{tokens(numbers[3])}" if any(numbers) else ""


def _end(start: float, end_time: Any, duration: Any, origin: float) -> Optional[float]:
    """Return when a step ended. Its own clock's duration is truer than the wall's."""
    if end_time is None:
        return None
    if isinstance(duration, (int, float)) and 0 <= duration < 1e15:
        return start + duration
    return max(start, _moment(end_time) - origin)


def _moment(text: Any) -> float:
    try:
        return parse_time(text).timestamp() * 1000
    except (TypeError, ValueError, AttributeError, OverflowError):
        return 0.0
