"""Spans that Claude Code itself sends: `claude_code.llm_request`, `.tool`, `.interaction`.

Its names are flat, and its input leaves out what was read from caches and written to them.
"""

from __future__ import annotations

from typing import Callable, Optional

from indexer.semantics.facts import AGENT, FROM_SPAN, LLM, STEP, TOOL, SpanFacts, Usage
from indexer.semantics.otel.record import Record
from indexer.semantics.otel.vocabulary import Attributes
from indexer.semantics.values import amount, count, first_line, first_text

VOCABULARY = "claude-code"


def claude_usage(attributes: Attributes) -> Usage:
    """Return the usage in the attributes of a record of Claude Code."""
    return Usage(
        count(attributes.get("input_tokens")),
        count(attributes.get("cache_read_tokens")),
        count(attributes.get("cache_creation_tokens")),
        count(attributes.get("output_tokens")),
    )


def claude_error(attributes: Attributes) -> Optional[str]:
    """Return what went wrong, in one line."""
    found = first_text(attributes, ("error", "error.message"))
    return first_line(found)


def _llm_request(record: Record) -> SpanFacts:
    request = first_text(record.attributes, ("request_id",))
    call = (f"request:{request}",) if request else ()
    return _claude_span(record, LLM, call, claude_usage(record.attributes))


def _tool(record: Record) -> SpanFacts:
    tool_use = first_text(record.attributes, ("tool_use_id",))
    return _claude_span(record, TOOL, (f"tool:{tool_use}",) if tool_use else (), Usage())


def _interaction(record: Record) -> SpanFacts:
    return _claude_span(record, AGENT, (), Usage())


def _step(record: Record) -> SpanFacts:
    return _claude_span(record, STEP, (), Usage())


def _claude_span(record: Record, kind: str, calls: tuple[str, ...], usage: Usage) -> SpanFacts:
    attributes = record.attributes
    span_id = record.span_id or ""
    return SpanFacts(
        identities=(f"span:{span_id}", *calls),
        signal=FROM_SPAN,
        vocabulary=VOCABULARY,
        span_id=span_id,
        parent_span_id=record.parent_span_id,
        name=record.name,
        kind=kind,
        status=_status(record),
        start_time=record.start,
        end_time=record.end,
        duration_ms=record.duration_ms,
        model=first_text(attributes, ("model", "gen_ai.response.model", "gen_ai.request.model")),
        provider="anthropic" if kind == LLM else None,
        tool_name=first_text(attributes, ("tool_name",)) if kind == TOOL else None,
        error=record.error or claude_error(attributes),
        time_to_first_token_ms=amount(attributes.get("ttft_ms")),
        usage=usage,
        cost_reported_usd=amount(attributes.get("cost_usd")),
        calls=calls,
        attributes=attributes,
    )


def _status(record: Record) -> str:
    failed = record.attributes.get("success") in (False, "false")
    return "error" if failed else record.status


CLAUDE_SPANS: dict[str, Callable[[Record], SpanFacts]] = {
    "claude_code.llm_request": _llm_request,
    "claude_code.tool": _tool,
    "claude_code.tool.execution": _step,
    "claude_code.interaction": _interaction,
}
"""How each of its spans is read, by name."""
