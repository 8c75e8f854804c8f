"""One span, or one run of a family, in full.

Called by the page of a run, for the line that was chosen.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Optional

import orjson

from indexer.ui.queries.runs import Run, runs_by_id

_SPAN = """SELECT name, kind, status, start_time, end_time, duration_ms, model, provider, error,
  input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
  cost_reported_usd, cost_estimated_usd, tool_name, time_to_first_token_ms, attributes_json
FROM run_spans WHERE run_id = ? AND span_id = ?"""


# What the columns say already.
_IN_FIELDS = frozenset(
    (
        "gen_ai.operation.name",
        "gen_ai.request.model",
        "gen_ai.provider.name",
        "gen_ai.tool.name",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.reasoning.output_tokens",
    )
)


@dataclass(frozen=True)
class SpanDetail:
    """What is known of a span, or of a run where `run` is set."""

    run_id: str
    span_id: str
    fields: list[tuple[str, Any]]
    attributes: list[tuple[str, str]]
    """Arguments, results and whatever else was given, as text."""
    run: Optional[Run] = None


def count_of_spans(connection: sqlite3.Connection, run_id: str) -> int:
    """Return how many spans a run has, those of runs inside it not counted."""
    sql = "SELECT count(*) FROM run_spans WHERE run_id = ?"
    return int(connection.execute(sql, (run_id,)).fetchone()[0])


def detail_of(connection: sqlite3.Connection, run_id: str, span_id: str) -> Optional[SpanDetail]:
    """Return a span of a run, or the run itself where no span is named; None if not there."""
    if not span_id:
        found = runs_by_id(connection, [run_id])
        return SpanDetail(run_id, "", [], [], found[0]) if found else None
    cursor = connection.execute(_SPAN, (run_id, span_id))
    row = cursor.fetchone()
    if row is None:
        return None
    names = [column[0] for column in cursor.description]
    *values, attributes = row
    fields = [(name, value) for name, value in zip(names, values) if value is not None]
    shown = [(name, value) for name, value in _attributes(attributes) if name not in _IN_FIELDS]
    return SpanDetail(run_id, span_id, fields, shown)


def _attributes(text: Any) -> list[tuple[str, str]]:
    try:
        value = orjson.loads(text or "{}")
    except (orjson.JSONDecodeError, TypeError):
        return [("attributes", str(text))]
    if not isinstance(value, dict):
        return [("attributes", str(text))]
    return [(str(name), one if isinstance(one, str) else _json(one)) for name, one in value.items()]


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
