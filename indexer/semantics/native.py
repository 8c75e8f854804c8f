"""Native spans: `span.started` and `span.ended`, as our own client writes them.

A span is what its two halves say. Of several starts the first counts, of several ends the last,
as with runs; what ended without having started is a span all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from indexer.semantics.attributes import bounded
from indexer.semantics.facts import ERROR, FROM_SPAN, OK, SpanFacts, usage_of_inclusive
from indexer.semantics.otel.genai import GENAI
from indexer.semantics.values import (
    amount,
    earlier,
    first_amount,
    first_count,
    first_line,
    first_text,
    iso_time,
    mapping,
    words,
)

VOCABULARY = "native"
_ENDED_WELL = ("ok", "success", "")
_TOOL_NAME = ("gen_ai.tool.name", "tool_name")


class Half(NamedTuple):
    """One of the two events of a span."""

    key: str
    """Time and id of the event: its place in the order of the run's events."""
    time: str
    data: Mapping[str, Any]


class Halves(NamedTuple):
    """What is known of a span."""

    started: Optional[Half] = None
    ended: Optional[Half] = None

    def with_start(self, half: Half) -> Halves:
        """Return what is known once a `span.started` is known as well."""
        return self if self.started and self.started.key <= half.key else Halves(half, self.ended)

    def with_end(self, half: Half) -> Halves:
        """Return what is known once a `span.ended` is known as well."""
        return self if self.ended and self.ended.key >= half.key else Halves(self.started, half)


def span_id_of(data: Any) -> Optional[str]:
    """Return which span an event is of; None if it names none."""
    return words(mapping(data).get("span_id"))


def span_facts(span_id: str, halves: Halves) -> SpanFacts:
    """Return the facts of a span of which one half is known, or both."""
    start = halves.started.data if halves.started else {}
    end = halves.ended.data if halves.ended else {}
    attributes = bounded({**mapping(start.get("attributes")), **mapping(end.get("attributes"))})
    duration = amount(end.get("duration_ms"))
    end_time = halves.ended and (iso_time(end.get("end_time")) or halves.ended.time)
    return SpanFacts(
        identities=(f"span:{span_id}",),
        signal=FROM_SPAN,
        vocabulary=VOCABULARY,
        span_id=span_id,
        parent_span_id=words(start.get("parent_span_id")) or words(end.get("parent_span_id")),
        name=words(start.get("name")) or words(end.get("name")),
        kind=words(start.get("kind")) or words(end.get("kind")),
        status=_status(end) if halves.ended else None,
        start_time=_start_time(halves.started, end_time, duration),
        end_time=end_time,
        duration_ms=duration,
        model=first_text(attributes, GENAI.model),
        provider=first_text(attributes, GENAI.provider),
        tool_name=first_text(attributes, _TOOL_NAME),
        error=first_line(end.get("error")),
        time_to_first_token_ms=_time_to_first_token(attributes),
        usage=usage_of_inclusive(
            first_count(attributes, GENAI.input),
            first_count(attributes, GENAI.cache_read),
            first_count(attributes, GENAI.cache_write),
            first_count(attributes, GENAI.output),
            first_count(attributes, GENAI.reasoning),
        ),
        cost_reported_usd=first_amount(attributes, GENAI.cost),
        attributes=attributes,
        start_event=halves.started and halves.started.key,
        end_event=halves.ended and halves.ended.key,
    )


def _status(end: Mapping[str, Any]) -> str:
    return OK if (words(end.get("status")) or "").lower() in _ENDED_WELL else ERROR


def _start_time(
    started: Optional[Half], end_time: Optional[str], duration: Optional[float]
) -> Optional[str]:
    """Return when a span began: without its start, its duration before its end."""
    if started is not None:
        return iso_time(started.data.get("start_time")) or started.time
    return earlier(end_time, duration) if end_time and duration is not None else None


def _time_to_first_token(attributes: Mapping[str, Any]) -> Optional[float]:
    seconds = first_amount(attributes, GENAI.time_to_first_token)
    return None if seconds is None else round(seconds * 1000, 3)
