"""Attributes of spans and runs, named as in OpenTelemetry's GenAI conventions. Pure.

Without `content`, nothing is sent that may be a prompt, an answer, or an argument or result of a
tool: attributes that are known to hold such, and any text longer than a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from indexer.semantics.facts import AGENT, EMBEDDING, LLM, RETRIEVAL, TOOL
from indexer.store.spans.table import SpanRow

_OPERATIONS = {
    LLM: "chat",
    EMBEDDING: "embeddings",
    TOOL: "execute_tool",
    AGENT: "invoke_agent",
    RETRIEVAL: "retrieval",
}
_CONTENT = re.compile(
    r"messages|prompt|completion|instruction|content|input|output|argument|result|parameter"
    r"|document|query|response|request\.body|text|system",
    re.IGNORECASE,
)
_NOT_CONTENT = re.compile(
    r"gen_ai\.(usage|request|response|provider|operation|system$|tool\.name|tool\.call\.id)"
    r"|.*(tokens?|_id|\.id|count|bytes|_ms)$"
)
_LONGEST_NAME = 256
_RUN_FIELDS = (
    "job_type",
    "trigger_type",
    "status",
    "agent_owner",
    "items_discovered",
    "items_succeeded",
    "items_failed",
    "items_skipped",
    "product",
    "platform",
    "git_repo",
    "git_branch",
    "git_commit_hash",
    "parent_run_id",
)


def span_attributes(span: SpanRow, *, content: bool) -> dict[str, Any]:
    """Return the attributes of a span: its own, and what was understood of it."""
    own = orjson.loads(span.attributes_json) if span.attributes_json else {}
    values = {
        key: value
        for key, value in (own.items() if isinstance(own, dict) else ())
        if content or _is_safe(key, value)
    }
    known = {
        "gen_ai.operation.name": _OPERATIONS.get(span.kind or ""),
        "gen_ai.provider.name": span.provider,
        "gen_ai.request.model": span.model,
        "gen_ai.tool.name": span.tool_name,
        "error.type": _error_type(span.error),
        "telemetry.span.kind": span.kind,
        "telemetry.span.id": span.span_id,
        "telemetry.cost_usd": span.cost_reported_usd,
        **_usage(span),
    }
    return {**values, **{key: value for key, value in known.items() if value is not None}}


def run_attributes(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of the span that stands for a run."""
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": row["agent_name"],
        "telemetry.run.id": row["run_id"],
        "telemetry.run.revision": row["revision"],
        **{f"telemetry.run.{name}": row[name] for name in _RUN_FIELDS},
    }


def resource_attributes(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of the resource: what ran where."""
    return {
        "service.name": row["agent_name"] or "unknown_agent",
        "host.name": row["host"],
        "deployment.environment.name": row["environment"],
    }


def _usage(span: SpanRow) -> dict[str, Any]:
    """Return the token counts. In the conventions input includes what a cache held."""
    buckets = (span.input_tokens, span.cache_read_tokens, span.cache_write_tokens)
    known = [count for count in buckets if count is not None]
    return {
        "gen_ai.usage.input_tokens": sum(known) if known else None,
        "gen_ai.usage.cache_read.input_tokens": span.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": span.cache_write_tokens,
        "gen_ai.usage.output_tokens": span.output_tokens,
        "gen_ai.usage.reasoning.output_tokens": span.reasoning_tokens,
    }


def _is_safe(key: str, value: Any) -> bool:
    if isinstance(value, (bool, int, float)):
        return True
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        return False
    return bool(_NOT_CONTENT.match(key)) or not _CONTENT.search(key)


def _error_type(error: Any) -> Any:
    """Return `Type` of an error `Type: message`; None for no error."""
    if not error:
        return None
    name = str(error).partition(":")[0]
    return name if name.isidentifier() else "error"
