"""Convert the facts of a span to a row of `run_spans`, and a row back to facts.

Pure. A native span's row holds all that its events said, so that the other half of the span can
be added to it without reading the first again.
"""

from __future__ import annotations

from typing import Optional

import orjson

from indexer.semantics.attributes import bounded
from indexer.semantics.facts import SpanFacts
from indexer.semantics.native import Half, Halves
from indexer.store.spans.table import SpanRow
from telemetry_core.timestamp import parse_time


def row_of(run_id: str, facts: SpanFacts) -> SpanRow:
    """Return the row of a span."""
    attributes = bounded(facts.attributes)
    usage = facts.usage
    return SpanRow(
        run_id=run_id,
        span_id=facts.span_id,
        parent_span_id=facts.parent_span_id,
        name=facts.name,
        kind=facts.kind,
        status=facts.status,
        start_time=facts.start_time,
        end_time=facts.end_time,
        duration_ms=_duration(facts),
        model=facts.model,
        provider=facts.provider,
        tool_name=facts.tool_name,
        error=facts.error,
        time_to_first_token_ms=facts.time_to_first_token_ms,
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        cost_reported_usd=facts.cost_reported_usd,
        vocabulary=facts.vocabulary,
        attributes_json=_json(attributes) if attributes else None,
        start_event=facts.start_event,
        end_event=facts.end_event,
    )


def halves_of(row: SpanRow) -> Halves:
    """Return what the events of a native span said, as far as its row is known by them."""
    attributes = orjson.loads(row.attributes_json) if row.attributes_json else {}
    started = ended = None
    said = {"parent_span_id": row.parent_span_id, "name": row.name, "kind": row.kind}
    if row.start_event is not None:
        data = {**said, "start_time": row.start_time, "attributes": attributes}
        started = Half(row.start_event, row.start_time or "", data)
        said = {}
    if row.end_event is not None:
        data = {
            **said,
            "status": row.status,
            "end_time": row.end_time,
            "duration_ms": row.duration_ms,
            "error": row.error,
            "attributes": attributes,
        }
        ended = Half(row.end_event, row.end_time or "", data)
    return Halves(started, ended)


def _duration(facts: SpanFacts) -> Optional[float]:
    """What was measured, else what the clocks on the wall make of it; None if that is absurd."""
    if facts.duration_ms is not None or not (facts.start_time and facts.end_time):
        return facts.duration_ms
    between = parse_time(facts.end_time) - parse_time(facts.start_time)
    milliseconds = round(between.total_seconds() * 1000, 3)
    return milliseconds if milliseconds >= 0 else None


def _json(attributes: dict[str, object]) -> str:
    return orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS).decode()
