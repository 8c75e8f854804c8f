"""Log events that Claude Code, Codex and Gemini CLI send: model calls and tool calls.

A log of a finished call is written at its end; its start is the duration before that.
"""

from __future__ import annotations

from typing import Callable, Optional

from indexer.semantics.facts import (
    ERROR,
    FROM_LOG,
    LLM,
    NO_USAGE,
    TOOL,
    SpanFacts,
    Usage,
    usage_of_inclusive,
)
from indexer.semantics.otel.claude_spans import VOCABULARY as CLAUDE
from indexer.semantics.otel.claude_spans import claude_error, claude_usage
from indexer.semantics.otel.record import Record
from indexer.semantics.run_ids import CLAUDE_CODE, CODEX, GEMINI
from indexer.semantics.values import amount, count, earlier, first_line, first_text

_Read = Callable[[Record, str], Optional[SpanFacts]]


def log_facts(record: Record, tool: str, event_id: str) -> Optional[SpanFacts]:
    """Return the facts of a log record of a coding agent; None for what is no call.

    `event_id` names the span where the record has no id of the call.
    """
    name = record.name
    if tool == CLAUDE_CODE and not name.startswith("claude_code."):
        name = f"claude_code.{name}"
    read = _READERS.get(name)
    return None if read is None else read(record, event_id)


def _claude_request(record: Record, event_id: str) -> SpanFacts:
    request = first_text(record.attributes, ("request_id",))
    return _facts(
        record,
        event_id,
        CLAUDE,
        "claude_code.api_request",
        LLM,
        call=f"request:{request}" if request else None,
        provider="anthropic",
        usage=claude_usage(record.attributes),
    )


def _claude_failure(record: Record, event_id: str) -> SpanFacts:
    request = first_text(record.attributes, ("request_id",))
    return _facts(
        record,
        event_id,
        CLAUDE,
        "claude_code.api_error",
        LLM,
        call=f"request:{request}" if request else None,
        provider="anthropic",
        status=ERROR,
    )


def _claude_tool(record: Record, event_id: str) -> SpanFacts:
    tool_use = first_text(record.attributes, ("tool_use_id",))
    return _facts(
        record,
        event_id,
        CLAUDE,
        "claude_code.tool_result",
        TOOL,
        call=f"tool:{tool_use}" if tool_use else None,
    )


def _codex_response(record: Record, event_id: str) -> Optional[SpanFacts]:
    """Of two events for each call only one has counts; its `tool_token_count` is the total."""
    attributes = record.attributes
    total = count(attributes.get("input_token_count"))
    if total is None:
        return None
    usage = usage_of_inclusive(
        total,
        count(attributes.get("cached_token_count")),
        count(attributes.get("cache_write_token_count")),
        count(attributes.get("output_token_count")),
        count(attributes.get("reasoning_token_count")),
    )
    return _facts(
        record, event_id, CODEX, record.name, LLM, provider="openai", usage=usage, takes_time=False
    )


def _codex_tool(record: Record, event_id: str) -> SpanFacts:
    call_id = first_text(record.attributes, ("call_id",))
    return _facts(
        record, event_id, CODEX, record.name, TOOL, call=f"tool:{call_id}" if call_id else None
    )


def _gemini_response(record: Record, event_id: str) -> SpanFacts:
    """Its input includes what was cached, its output leaves out what was thought."""
    attributes = record.attributes
    prompt = count(attributes.get("input_token_count"))
    tool = count(attributes.get("tool_token_count"))
    output = count(attributes.get("output_token_count"))
    thoughts = count(attributes.get("thoughts_token_count"))
    usage = usage_of_inclusive(
        prompt, count(attributes.get("cached_content_token_count")), None, output, thoughts
    )
    usage = usage._replace(
        input_tokens=_add(usage.input_tokens, tool), output_tokens=_add(output, thoughts)
    )
    return _facts(record, event_id, GEMINI, record.name, LLM, provider="google", usage=usage)


def _gemini_failure(record: Record, event_id: str) -> SpanFacts:
    return _facts(record, event_id, GEMINI, record.name, LLM, provider="google", status=ERROR)


def _gemini_tool(record: Record, event_id: str) -> SpanFacts:
    return _facts(record, event_id, GEMINI, record.name, TOOL)


def _add(one: Optional[int], other: Optional[int]) -> Optional[int]:
    return one if one is None else one + (other or 0)


def _facts(  # the parts of a span that a tool's own reader knows
    record: Record,
    event_id: str,
    vocabulary: str,
    name: str,
    kind: str,
    *,
    call: Optional[str] = None,
    provider: Optional[str] = None,
    status: Optional[str] = None,
    usage: Usage = NO_USAGE,
    takes_time: bool = True,
) -> SpanFacts:
    attributes = record.attributes
    duration = amount(attributes.get("duration_ms")) if takes_time else None
    status = status or _status(record)
    # Codex's call ids are unique within a thread only, so they are no claim on another's call.
    calls = (call,) if call and vocabulary == CLAUDE else ()
    return SpanFacts(
        identities=(call,) if call else (f"log:{event_id}",),
        signal=FROM_LOG,
        vocabulary=vocabulary,
        span_id=call.partition(":")[2] if call else event_id,
        name=name,
        kind=kind,
        status=status,
        start_time=record.end and earlier(record.end, duration),
        end_time=record.end,
        duration_ms=duration,
        model=first_text(attributes, ("model", "model_name")) if kind == LLM else None,
        provider=provider,
        tool_name=first_text(attributes, ("tool_name", "function_name")) if kind == TOOL else None,
        error=_error(record) if status == ERROR else None,
        usage=usage,
        cost_reported_usd=amount(attributes.get("cost_usd")),
        calls=calls,
        attributes=attributes,
    )


def _status(record: Record) -> str:
    return ERROR if record.attributes.get("success") in (False, "false") else record.status


def _error(record: Record) -> Optional[str]:
    found = claude_error(record.attributes)
    return found or first_line(first_text(record.attributes, ("error_type", "error.type")))


_READERS: dict[str, _Read] = {
    "claude_code.api_request": _claude_request,
    "claude_code.api_error": _claude_failure,
    "claude_code.tool_result": _claude_tool,
    "codex.sse_event": _codex_response,
    "codex.websocket_event": _codex_response,
    "codex.tool_result": _codex_tool,
    "gemini_cli.api_response": _gemini_response,
    "gemini_cli.api_error": _gemini_failure,
    "gemini_cli.tool_call": _gemini_tool,
}
