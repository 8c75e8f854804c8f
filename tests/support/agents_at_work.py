"""Events of what agents do, of every kind there is, for properties of spans, usage and metrics."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from telemetry_core.event import Event

RUN = "native"
_SPANS = st.sampled_from(["s1", "s2", "s3", "s4"])
_PARENTS = st.none() | st.sampled_from(["s1", "s2", "s3", "s4", "gone"])
_TOKENS = st.none() | st.integers(0, 50)
_NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, 2.25])


def _time(number: int) -> str:
    return f"2026-01-01T00:00:{number // 100:02d}.{number % 100:02d}0000Z"


def _event(number: int, kind: str, data: dict[str, Any], run_id: str = RUN) -> Event:
    return Event(f"id-{number:04d}", "host/1", kind, run_id, _time(number), data)


def _usage(draw: Any) -> dict[str, Any]:
    names = ("input_tokens", "output_tokens", "cache_read.input_tokens")
    counts = {f"gen_ai.usage.{name}": draw(_TOKENS) for name in names}
    return {name: value for name, value in counts.items() if value is not None}


@st.composite
def _native(draw: Any, number: int) -> Event:
    """An event of our own client, now and then for a run that is a session as well."""
    one = draw(_of_own(number))
    return one._replace(run_id=draw(st.sampled_from([RUN, RUN, "claude-code-a"])))


@st.composite
def _of_own(draw: Any, number: int) -> Event:
    kind = draw(
        st.sampled_from(["started", "ended", "metrics", "counter", "event", "updated", "run"])
    )
    if kind == "started":
        data = {
            "span_id": draw(_SPANS),
            "parent_span_id": draw(_PARENTS),
            "name": f"n{number}",
            "kind": draw(st.sampled_from(["llm", "tool", "step"])),
            "attributes": {"a": number},
        }
        return _event(number, "span.started", data)
    if kind == "ended":
        data = {
            "span_id": draw(_SPANS),
            "status": draw(st.sampled_from(["ok", "error"])),
            "duration_ms": number / 4,
            "attributes": {**_usage(draw), "b": number},
        }
        return _event(number, "span.ended", data)
    if kind == "metrics":
        metrics = draw(st.dictionaries(st.sampled_from(["loss", "rate"]), _NUMBERS, min_size=1))
        return _event(number, "run.metrics", {"step": number, "metrics": metrics})
    if kind == "counter":
        names = st.sampled_from(["items_failed", "hits"])
        counts = draw(st.dictionaries(names, _NUMBERS, min_size=1))
        return _event(number, "run.incremented", counts)
    if kind == "run":
        what = draw(st.sampled_from(["run.started", "run.ended"]))
        return _event(number, what, {"agent_name": f"agent-{number}", "items_failed": number})
    if kind == "updated":
        return _event(number, "run.updated", {"items_failed": number, "hits": number})
    return _event(number, "run.event", {"event_type": "step", "payload": number})


@st.composite
def _line(draw: Any, number: int) -> Event:
    """A line of one of three sessions of Claude Code, which repeat each other's calls."""
    session, agent = draw(st.sampled_from([("a", None), ("b", None), ("a", "x")]))
    message = draw(st.sampled_from(["m1", "m2"]))
    content = [{"type": "tool_use", "id": f"toolu_{message}", "name": "Read"}]
    line: dict[str, Any] = {
        "type": "assistant",
        "sessionId": session,
        "timestamp": _time(number),
        "message": {
            "id": message,
            "model": "claude-opus-4-7",
            "content": content,
            "usage": {"input_tokens": 1, "output_tokens": number},
        },
    }
    if agent:
        line.update(isSidechain=True, agentId=agent)
    if draw(st.booleans()):
        line["requestId"] = draw(st.sampled_from(["r1", "r2"]))
    if draw(st.booleans()):
        line["sessionKind"] = "bg"
    run_id = f"claude-code-{session}" + (f"-agent-{agent}" if agent else "")
    data = {"position": f"{number:010d}", "session_id": session, "line": line}
    return _event(number, "session.claude-code", {**data, "agent_id": agent}, run_id)


@st.composite
def _log(draw: Any, number: int) -> Event:
    """A log of a request that a session's lines may speak of as well."""
    pairs = {
        "event.name": "api_request",
        "session.id": draw(st.sampled_from("ab")),
        "request_id": draw(st.sampled_from(["r1", "r2", "r3"])),
        "input_tokens": "7",
    }
    log = {
        "timeUnixNano": "1767225600000000000",
        "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in pairs.items()],
    }
    service = {"key": "service.name", "value": {"stringValue": "claude-code"}}
    data = {"resource": {"attributes": [service]}, "scope": {}, "log": log}
    return _event(number, "otel.log", data, f"claude-code-{pairs['session.id']}")


@st.composite
def _span(draw: Any, number: int) -> Event:
    trace, span = "0a" * 16, f"{number:016x}"
    parent = draw(st.none() | st.integers(0, 30))
    pairs = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": "5"}
    record = {
        "traceId": trace,
        "spanId": span,
        "name": "chat",
        "startTimeUnixNano": str(1767225600000000000 + number * 1000),
        "endTimeUnixNano": str(1767225601000000000),
        "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in pairs.items()],
    }
    if parent is not None:
        record["parentSpanId"] = f"{parent + 1:016x}"
    data = {"resource": {}, "scope": {}, "span": record}
    return _event(number, "otel.span", data, f"trace-{trace}")


@st.composite
def histories(draw: Any) -> list[Event]:
    """Events of every kind; no two have one id."""
    kinds = draw(st.lists(st.sampled_from([_native, _native, _line, _log, _span]), max_size=24))
    return [draw(kind(number + 1)) for number, kind in enumerate(kinds)]
