"""One span, in whichever vocabulary, with values of every shape."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from indexer.semantics.facts import SpanFacts, Usage
from indexer.semantics.otel.record import attributes_of, read_record
from indexer.semantics.otel.span import span_facts


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}


def _facts(attributes: dict[str, Any], **span: Any) -> Optional[SpanFacts]:
    pairs = [{"key": name, "value": _value(value)} for name, value in attributes.items()]
    given = {"traceId": "0A" * 16, "spanId": "0B" * 8, "name": "it", "attributes": pairs, **span}
    return span_facts(read_record({"resource": {}, "scope": {}, "span": given}))


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"gen_ai.operation.name": "chat"}, "llm"),
        ({"gen_ai.operation.name": "embeddings"}, "embedding"),
        ({"gen_ai.operation.name": "retrieval"}, "retrieval"),
        ({"gen_ai.operation.name": "invoke_workflow"}, "step"),
        ({"gen_ai.operation.name": "execute_tool", "openinference.span.kind": "LLM"}, "tool"),
        ({"openinference.span.kind": "RERANKER"}, "retrieval"),
        ({"openinference.span.kind": "GUARDRAIL"}, "step"),
        ({"traceloop.span.kind": "agent"}, "agent"),
        ({"traceloop.span.kind": "workflow"}, "step"),
        ({"llm.request.type": "chat", "llm.usage.prompt_tokens": 1}, "llm"),
        ({"llm.request.type": "chat"}, "step"),
        ({}, "step"),
    ],
)
def test_the_first_vocabulary_that_says_so_gives_the_kind(
    attributes: dict[str, Any], kind: str
) -> None:
    """GenAI before OpenInference before Traceloop; OTLP's own kind says nothing."""
    found = _facts(attributes)
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize(
    ("attributes", "usage"),
    [
        (
            {"gen_ai.usage.prompt_tokens": 10, "gen_ai.usage.completion_tokens": 3},
            Usage(10, None, None, 3),
        ),
        (
            {"llm.usage.prompt_tokens": 10, "llm.usage.completion_tokens": 3},
            Usage(10, None, None, 3),
        ),
        (
            {
                "gen_ai.usage.input_tokens": 100,
                "gen_ai.usage.cache_read_input_tokens": 60,
                "gen_ai.usage.cache_creation_input_tokens": 30,
            },
            Usage(10, 60, 30),
        ),
        # Cached tokens beyond the input: the source meant exclusive input.
        (
            {"gen_ai.usage.input_tokens": 4, "gen_ai.usage.cache_read.input_tokens": 900},
            Usage(4, 900),
        ),
        ({"gen_ai.usage.input_tokens": "12"}, Usage(12)),
        ({"gen_ai.usage.input_tokens": -1, "gen_ai.usage.output_tokens": 2**60}, Usage()),
        ({"gen_ai.usage.input_tokens": float("nan"), "gen_ai.usage.output_tokens": True}, Usage()),
        ({"gen_ai.usage.total_tokens": 9, "gen_ai.aggregated_usage.input_tokens": 9}, Usage()),
    ],
)
def test_usage_is_in_exclusive_buckets(attributes: dict[str, Any], usage: Usage) -> None:
    """Every generation of the names; what is no count is not known, and totals never count."""
    found = _facts({"gen_ai.operation.name": "chat", **attributes})
    assert found is not None
    assert found.usage == usage


def test_unknown_models_count_as_absent() -> None:
    """LangChain's model stands elsewhere where request and response have `unknown`."""
    found = _facts(
        {
            "gen_ai.request.model": "unknown",
            "gen_ai.response.model": "",
            "traceloop.association.properties.ls_model_name": "m-1",
        }
    )
    assert found is not None
    assert found.model == "m-1"


def test_an_exception_explains_an_error_before_the_status_does() -> None:
    """The type alone will do; a traceback in the message gives its first line; ok has no error."""
    exception = {
        "name": "exception",
        "attributes": [{"key": "exception.type", "value": {"stringValue": "KeyError"}}],
    }
    failed = {"code": 2, "message": "boom\nTraceback"}
    with_event = _facts({}, status=failed, events=[exception])
    without = _facts({"error.type": "E"}, status=failed)
    typed = _facts({"error.type": "E"}, status={"code": 2})
    fine = _facts({"error.type": "E"}, status={"code": 1}, events=[exception])
    found = [one and (one.status, one.error) for one in (with_event, without, typed, fine)]
    assert found == [("error", "KeyError"), ("error", "boom"), ("error", "E"), ("ok", None)]


def test_pending_spans_and_spans_without_an_id_are_none() -> None:
    """Logfire sends a span when it starts, under an id of its own."""
    assert _facts({"logfire.span_type": "pending_span"}) is None
    assert _facts({}, spanId="0" * 16) is None
    assert _facts({}, spanId=None) is None


def test_a_claude_code_request_has_flat_names_and_exclusive_input() -> None:
    """Its caches are apart from its input; it is named by its request too."""
    found = _facts(
        {
            "input_tokens": 4,
            "cache_read_tokens": 900,
            "cache_creation_tokens": 5,
            "output_tokens": 7,
            "model": "claude-opus-4-7",
            "request_id": "req_1",
            "ttft_ms": 12,
        },
        name="claude_code.llm_request",
    )
    assert found is not None
    assert found.usage == Usage(4, 900, 5, 7)
    assert (found.kind, found.model, found.time_to_first_token_ms) == ("llm", "claude-opus-4-7", 12)
    assert "request:req_1" in found.identities


def test_attributes_of_every_shape_are_read() -> None:
    """No value, NaN, lists, objects, a key twice, and what is no attribute at all."""
    deep: dict[str, Any] = {"stringValue": "bottom"}
    for _ in range(40):
        deep = {"arrayValue": {"values": [deep]}}
    found = attributes_of(
        [
            {"key": "none", "value": {}},
            {"key": "twice", "value": {"intValue": 1}},
            {"key": "twice", "value": {"stringValue": "2"}},
            {"key": "list", "value": {"arrayValue": {"values": [{"intValue": "1"}]}}},
            {
                "key": "object",
                "value": {"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": False}}]}},
            },
            {"key": "text", "value": {"intValue": "x"}},
            {"key": 1, "value": {"intValue": 1}},
            "nonsense",
            {"key": "deep", "value": deep},
        ]
    )
    assert found.pop("deep")
    assert found == {"twice": "2", "list": [1], "object": {"a": False}}
    assert attributes_of("nonsense") == {}
