"""Recorded OpenTelemetry records give the spans and runs that they were recorded from."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import orjson
import pytest

from indexer.semantics.facts import SpanFacts, Usage
from indexer.semantics.run_ids import UNASSIGNED, run_of_log, run_of_span
from indexer.semantics.translate import Translated, translate
from indexer.semantics.tree import usage_leaves
from telemetry_core.event import Event

SAMPLES = Path(__file__).parent / "samples"
NO = Usage()
CACHED = Usage(56, 64, None, 30, 12)


def _events(name: str) -> Iterator[Event]:
    for number, line in enumerate((SAMPLES / f"{name}.ndjson").read_bytes().splitlines()):
        event = orjson.loads(line)
        find = run_of_span if event["type"] == "otel.span" else run_of_log
        yield Event(
            f"{number:08d}",
            "receiver",
            event["type"],
            find(event["data"]),
            "2026-11-26T00:00:00.000000Z",
            event["data"],
        )


def _runs(name: str, *, shuffled: Optional[int] = None) -> dict[str, Translated]:
    runs: dict[str, list[Event]] = {}
    for event in _events(name):
        runs.setdefault(event.run_id, []).append(event)
    if shuffled is not None:
        for events in runs.values():
            random.Random(shuffled).shuffle(events)
            events.extend(events[:3])
    return {run_id: translate(events) for run_id, events in runs.items()}


def _leaves(spans: list[SpanFacts]) -> set[str]:
    parents = {one.span_id: one.parent_span_id for one in spans}
    return usage_leaves(parents, [one.span_id for one in spans if one.usage.is_known])


def _rows(translated: Translated) -> list[tuple[Any, ...]]:
    """Name, kind, status, model, usage and whether it counts, by start."""
    leaves = _leaves(translated.spans)
    ordered = sorted(translated.spans, key=lambda one: (one.start_time or "", one.name or ""))
    return [
        (one.name, one.kind, one.status, one.model, one.usage, one.span_id in leaves)
        for one in ordered
    ]


ROWS = {
    "sdk-genai": {
        "trace-01b6e05d38d09fec4ade485d14810322": [
            ("invoke_agent writer", "agent", "ok", None, Usage(300, None, None, 30), False),
            ("chat gpt-5", "llm", "ok", "gpt-5-2026-01-01", Usage(60, 40, None, 10), True),
            ("execute_tool search", "tool", "error", None, NO, False),
            ("chat gpt-5", "llm", "ok", "gpt-5", Usage(200, None, None, 20), True),
        ]
    },
    "openllmetry-openai": {
        "trace-66519de928633219af536351cfd2c150": [
            ("job", "step", "ok", None, NO, False),
            ("openai.chat", "llm", "ok", "gpt-5-mini-2026-02-01", CACHED, True),
            (
                "openai.chat",
                "llm",
                "ok",
                "gpt-5-mini-2026-02-01",
                CACHED._replace(reasoning_tokens=None),
                True,
            ),
            ("openai.chat", "llm", "ok", "gpt-5-mini-2026-02-01", NO, False),
            (
                "openai.embeddings",
                "embedding",
                "ok",
                "text-embedding-3-small",
                Usage(8, 0),
                True,
            ),
            ("openai.response", "llm", "ok", "gpt-5-mini-2026-02-01", CACHED, True),
            ("openai.chat", "llm", "error", "missing", NO, False),
        ]
    },
    "genai-events": {
        "trace-065af3d2a8e3906ca5ecd6a04669b8f0": [
            ("job", "step", "ok", None, NO, False),
            *[
                (
                    "chat gpt-5-mini",
                    "llm",
                    "ok",
                    "gpt-5-mini-2026-02-01",
                    Usage(120, None, None, 30),
                    True,
                )
            ]
            * 2,
            ("chat gpt-5-mini", "llm", "ok", "gpt-5-mini-2026-02-01", NO, False),
            (
                "embeddings text-embedding-3-small",
                "embedding",
                "ok",
                "text-embedding-3-small",
                Usage(8),
                True,
            ),
            ("chat missing", "llm", "error", "missing", NO, False),
        ]
    },
    "claude-code": {
        "claude-code-6d2a1c1e-0000-4000-8000-00000000a001": [
            (
                "claude_code.api_request",
                "llm",
                "ok",
                "claude-opus-4-7",
                Usage(4, 15230, 1804, 212),
                True,
            ),
            ("claude_code.tool_result", "tool", "error", None, NO, False),
            ("claude_code.api_error", "llm", "error", "claude-opus-4-7", NO, False),
            (
                "claude_code.api_request",
                "llm",
                "ok",
                "claude-opus-4-7",
                Usage(6, 17034, 310, 98),
                True,
            ),
            (
                "claude_code.api_request",
                "llm",
                "ok",
                "claude-haiku-4-5-20251001",
                Usage(412, 0, 0, 18),
                True,
            ),
        ]
    },
    "codex": {
        "codex-01a21548-89af-7f90-a44e-5b582d352788": [
            ("codex.sse_event", "llm", "ok", "gpt-5.1-codex", Usage(300, 900, 0, 80, 30), True),
            ("codex.tool_result", "tool", "ok", None, NO, False),
            ("codex.sse_event", "llm", "ok", "gpt-5.1-codex", Usage(300, 900, 0, 80, 30), True),
        ],
        UNASSIGNED: [],
    },
}


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_sample_gives_its_spans(name: str) -> None:
    """Kind, model, status and exclusive buckets, and only leaves count."""
    assert {run_id: _rows(one) for run_id, one in _runs(name).items()} == ROWS[name]


@pytest.mark.parametrize("name", [*sorted(ROWS), "openinference-langgraph"])
def test_order_and_repetition_change_nothing(name: str) -> None:
    """A run is a function of the set of its records."""
    assert _runs(name, shuffled=1) == _runs(name, shuffled=2) == _runs(name)


def test_openinference_counts_cached_tokens_as_input() -> None:
    """Nine spans of a graph, two of them model calls, and a tool that raises in its own trace."""
    runs = _runs("openinference-langgraph")
    graph = runs["trace-96bdc0e39666188b4f102c77971f96de"]
    calls = [row[1:] for row in _rows(graph) if row[1] == "llm"]
    assert calls == [("llm", "ok", "gpt-5-mini", Usage(46, 64, 10, 30, 12), True)] * 2
    assert sorted(row[1] for row in _rows(graph)) == ["llm"] * 2 + ["step"] * 6 + ["tool"]
    assert graph.run is not None
    assert (graph.run.agent_name, graph.run.status) == ("weather_graph", "success")
    failed = runs["trace-d14a60a2b4b7ea91ca76a59fa7244655"]
    assert failed.run is not None
    assert (failed.run.status, failed.run.error_summary) == ("failed", "ValueError: tool broke")
    assert failed.spans[0].error == "ValueError: tool broke"


def test_a_trace_is_a_run_named_by_its_agent() -> None:
    """The agent's name goes before the service's; times are those of the spans."""
    run = _runs("sdk-genai")["trace-01b6e05d38d09fec4ade485d14810322"].run
    assert run is not None
    assert (run.agent_name, run.status, run.start_time, run.end_time) == (
        "writer",
        "success",
        "2026-11-26T00:29:26.343980Z",
        "2026-11-26T00:29:26.345071Z",
    )
    assert run.context["conversation_id"] == "conv-1"


def test_logs_of_a_coding_agent_are_spans_that_ended_at_their_time() -> None:
    """The start is before the end by what the log says; costs are those that were reported."""
    first, *_ = sorted(
        _runs("claude-code")["claude-code-6d2a1c1e-0000-4000-8000-00000000a001"].spans,
        key=lambda one: one.start_time or "",
    )
    assert (first.start_time, first.end_time, first.cost_reported_usd) == (
        "2026-11-25T09:46:40.027000Z",
        "2026-11-25T09:46:41.900000Z",
        0.024391,
    )


def test_a_trace_without_its_root_is_still_running() -> None:
    """Nothing says that a trace is complete; the root ends it."""
    events = [one for one in _events("sdk-genai") if "parentSpanId" in one.data["span"]]
    run = translate(events).run
    assert run is not None
    assert (run.status, run.end_time) == ("running", None)


def test_spans_of_codex_are_no_run() -> None:
    """They are its inner life, and their tokens are those of its logs."""
    span = {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331",
        "name": "handle_responses",
        "startTimeUnixNano": "1795653405470377171",
        "attributes": [{"key": "gen_ai.usage.input_tokens", "value": {"intValue": "9"}}],
    }
    service = {"key": "service.name", "value": {"stringValue": "codex_cli_rs"}}
    data = {"resource": {"attributes": [service]}, "scope": {}, "span": span}
    run_id = run_of_span(data)
    assert run_id == "trace-0af7651916cd43dd8448eb211c80319c"
    event = Event("a", "s", "otel.span", run_id, "2026-11-26T00:00:00.000000Z", data)
    assert translate([event]) == (None, [])
