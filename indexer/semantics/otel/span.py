"""Translate an `otel.span`, in whichever vocabularies its attributes are written.

Of each fact the first hit wins: the vocabularies are asked in turn, the names of each from its
newest generation to its oldest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

from indexer.semantics.facts import (
    FROM_LOG,
    FROM_SPAN,
    NO_USAGE,
    STEP,
    TOOL,
    SpanFacts,
    Usage,
    usage_of_inclusive,
)
from indexer.semantics.otel.claude_spans import CLAUDE_SPANS
from indexer.semantics.otel.genai import GENAI
from indexer.semantics.otel.openinference import OPENINFERENCE
from indexer.semantics.otel.openllmetry import OPENLLMETRY
from indexer.semantics.otel.record import Record
from indexer.semantics.otel.vocabulary import Attributes, Vocabulary
from indexer.semantics.values import first_amount, first_count, first_text, text

_KIND_ORDER = (GENAI, OPENINFERENCE, OPENLLMETRY)
_NAME_ORDER = (GENAI, OPENLLMETRY, OPENINFERENCE)
_CALL_EVENT = "gen_ai.client.inference.operation.details"
_PENDING = "pending_span"


def span_facts(record: Record) -> Optional[SpanFacts]:
    """Return the facts of a span; None for one that is no span of its own or has no id."""
    attributes = record.attributes
    if record.span_id is None or attributes.get("logfire.span_type") == _PENDING:
        return None
    own = CLAUDE_SPANS.get(record.name)
    if own is not None:
        return own(record)
    return _facts(record, FROM_SPAN)


def call_log_facts(record: Record) -> Optional[SpanFacts]:
    """Return the facts of a log record that repeats a model call's span; None for all others.

    It has the span's id, and no time.
    """
    if record.name != _CALL_EVENT or record.span_id is None:
        return None
    return _facts(record, FROM_LOG)


def agent_name(attributes: Attributes) -> Optional[str]:
    """Return the name of the agent that a span speaks of."""
    return first_text(attributes, _names("agent_name"))


def conversation(attributes: Attributes) -> Optional[str]:
    """Return the conversation or session that a span is part of, as its library names it."""
    return first_text(attributes, _names("conversation"))


def _facts(record: Record, signal: int) -> SpanFacts:
    attributes = record.attributes
    vocabulary, kind = _vocabulary(attributes)
    is_log = signal == FROM_LOG
    span_id = record.span_id or ""
    seconds = first_amount(attributes, _names("time_to_first_token"))
    return SpanFacts(
        identities=(f"span:{span_id}",),
        signal=signal,
        vocabulary=vocabulary,
        span_id=span_id,
        parent_span_id=record.parent_span_id,
        name=None if is_log else record.name,
        kind=kind,
        status=None if is_log else record.status,
        start_time=None if is_log else record.start,
        end_time=None if is_log else record.end,
        duration_ms=record.duration_ms,
        model=first_text(attributes, _names("model")),
        provider=first_text(attributes, _names("provider")),
        tool_name=_tool_name(attributes) if kind == TOOL else None,
        error=record.error,
        time_to_first_token_ms=None if seconds is None else round(seconds * 1000, 3),
        usage=_usage(attributes) if kind != TOOL else NO_USAGE,
        cost_reported_usd=first_amount(attributes, _names("cost")),
        attributes=attributes,
    )


def _vocabulary(attributes: Attributes) -> tuple[str, str]:
    for vocabulary in _KIND_ORDER:
        kind = vocabulary.kind(attributes)
        if kind is not None:
            return vocabulary.name, _spoken(vocabulary, kind, attributes)
    return "otel", STEP


def _spoken(vocabulary: Vocabulary, kind: str, attributes: Attributes) -> str:
    """OpenLLMetry marks a model call inside a task by its request type alone."""
    if vocabulary is OPENLLMETRY and kind == STEP and "llm.request.type" in attributes:
        rest = {name: one for name, one in attributes.items() if name != "traceloop.span.kind"}
        return OPENLLMETRY.kind(rest) or kind
    return kind


def _usage(attributes: Attributes) -> Usage:
    """Every one of these vocabularies counts cached tokens as input, reasoning as output."""
    return usage_of_inclusive(
        first_count(attributes, _names("input")),
        first_count(attributes, _names("cache_read")),
        first_count(attributes, _names("cache_write")),
        first_count(attributes, _names("output")),
        first_count(attributes, _names("reasoning")),
    )


def _tool_name(attributes: Attributes) -> Optional[str]:
    """Logfire has the name of a tool in an attribute of the template `Function: {name}`."""
    found = first_text(attributes, _names("tool_name"))
    if found is None and attributes.get("logfire.msg_template") == "Function: {name}":
        return text(attributes.get("name"))
    return found


def _names(what: str) -> Iterator[Any]:
    for vocabulary in _NAME_ORDER:
        yield from getattr(vocabulary, what)
