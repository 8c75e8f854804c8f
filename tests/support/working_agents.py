"""Agents that did something: spans, model calls, tools, metrics, one of them killed in a tool."""

from __future__ import annotations

from typing import Any

from telemetry_core.event import Event
from tests.support.database import event

RESEARCH, HELPER, KILLED = "research-run", "helper-run", "killed-run"
TRACE = "0a" * 16
_FIRST_NANO = 1_767_225_600_000_000_000
"""When event 0 is, in OTLP's unit."""
_CLAUDE = {"gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.provider.name": "anthropic"}
_USED = {
    **_CLAUDE,
    "gen_ai.usage.input_tokens": 10_200,
    "gen_ai.usage.cache_read.input_tokens": 9_000,
    "gen_ai.usage.output_tokens": 80,
}


def _of(run_id: str, number: int, what: str, **data: Any) -> Event:
    return event(number, what, run_id)._replace(data=data)


def _span(run_id: str, number: int, span_id: str, **more: Any) -> list[Event]:
    """A span of one tenth of a second; `status`, `error` and `used` are of its end."""
    end = {
        "status": more.pop("status", "ok"),
        "error": more.pop("error", None),
        "attributes": more.pop("used", {}),
        "duration_ms": 100.0,
    }
    started = _of(run_id, number, "span.started", span_id=span_id, **more)
    return [started, _of(run_id, number + 100_000, "span.ended", span_id=span_id, **end)]


def working_agents() -> list[Event]:
    """A run with a tree of spans and a run inside it, and one whose process was killed."""
    events = [
        _of(RESEARCH, 0, "run.started", agent_name="researcher", job_type="answer"),
        *_span(RESEARCH, 1, "plan", name="plan", kind="agent"),
        *_span(RESEARCH, 10, "call", name="chat", kind="llm", parent_span_id="plan", used=_USED),
        *_span(
            RESEARCH,
            11,
            "odd",
            name="chat",
            kind="llm",
            parent_span_id="plan",
            used={"gen_ai.request.model": "odd-model", "gen_ai.usage.input_tokens": 10},
        ),
        _of(RESEARCH, 2_000_000, "run.ended", status="success", items_succeeded=3),
        _of(HELPER, 500, "run.started", agent_name="helper", parent_run_id=RESEARCH),
        *_span(
            HELPER,
            501,
            "fetch",
            name="execute_tool fetch",
            kind="tool",
            status="error",
            error="TimeoutError: no answer",
            attributes={"gen_ai.tool.name": "fetch"},
        ),
        _of(HELPER, 900_000, "run.ended", status="success"),
        _of(KILLED, 3_000_000, "run.started", agent_name="researcher", job_type="answer"),
    ]
    for number in range(6):
        events += _span(
            RESEARCH,
            20 + number,
            f"search{number}",
            kind="tool",
            name="execute_tool search",
            parent_span_id="plan",
            attributes={"gen_ai.tool.name": "search"},
        )
        events.append(
            _of(
                RESEARCH,
                300_000 + number,
                "run.metrics",
                step=number,
                metrics={"loss": 1 / (number + 1)},
            )
        )
    for number, (span_id, parent, kind) in enumerate(
        [
            ("plan", None, "agent"),
            ("loop", "plan", "step"),
            ("call", "loop", "llm"),
            ("tool", "call", "tool"),
        ]
    ):
        events.append(
            _of(
                KILLED,
                3_000_001 + number,
                "span.started",
                span_id=span_id,
                kind=kind,
                parent_span_id=parent,
                name=span_id,
                attributes={"gen_ai.tool.name": "search"} if kind == "tool" else {},
            )
        )
    events.append(_of(KILLED, 6_200_004, "run.event", event_type="page", payload={}))
    return events


def more_work() -> list[Event]:
    """A call that failed, one with a reported cost, and two sessions that claim one call."""
    events = [
        *_span(
            HELPER,
            600,
            "slow",
            name="chat",
            kind="llm",
            status="error",
            error="RateLimitError: 429",
            attributes={"gen_ai.request.model": "m-2"},
        ),
        *_span(
            HELPER,
            601,
            "paid",
            name="chat",
            kind="llm",
            used={
                "gen_ai.request.model": "m-2",
                "gen_ai.usage.output_tokens": 5,
                "gen_ai.usage.cost": 0.01,
                "gen_ai.response.time_to_first_chunk": 0.2,
            },
        ),
    ]
    for number, session in enumerate(("first", "copy")):
        line = {
            "type": "assistant",
            "sessionId": session,
            "timestamp": f"2026-01-01T00:00:0{number}Z",
            "message": {"id": "m1", "content": [], "usage": {"input_tokens": 5}},
        }
        data = {"position": "0000000000", "session_id": session, "line": line}
        events.append(_of(f"claude-code-{session}", 700 + number, "session.claude-code", **data))
    return events


def trace_under_a_run(first: int) -> list[Event]:
    """The run `caller`, and a second of the trace that another program began under its context."""
    span = {
        "traceId": TRACE,
        "spanId": "0c" * 8,
        "parentSpanId": "0b" * 8,
        "name": "handle",
        "startTimeUnixNano": str(_FIRST_NANO + first * 1_000),
        "endTimeUnixNano": str(_FIRST_NANO + first * 1_000 + 1_000_000_000),
        "flags": 0x300,
    }
    started = _of("caller", first, "run.started", agent_name="caller")
    return [
        started._replace(extensions={"traceparent": f"00-{TRACE}-{span['parentSpanId']}-01"}),
        _of(f"trace-{TRACE}", first + 1, "otel.span", resource={}, scope={}, span=span),
    ]
