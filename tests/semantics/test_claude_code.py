"""Sessions of Claude Code, and the traps that make others count a call twice."""

from __future__ import annotations

import orjson

from indexer.semantics.facts import Usage
from indexer.semantics.run_ids import UNASSIGNED, claude_code_run_id
from indexer.semantics.translate import translate
from telemetry_core.event import Event
from tests.semantics.sessions import (
    assistant,
    event,
    events,
    of_kind,
    tool_result,
    translated,
)

USAGE = {
    "input_tokens": 12,
    "cache_read_input_tokens": 15_000,
    "cache_creation_input_tokens": 900,
    "cache_creation": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 300},
    "output_tokens": 631,
}
TOOL = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {}}


def test_a_streamed_call_is_one_call_with_its_largest_output() -> None:
    """Its lines repeat the usage while it grows, and the last line need not have the most."""
    found = translated(
        "claude-code",
        [
            assistant("m1", 2, usage={**USAGE, "output_tokens": 5}, requestId="r1"),
            assistant("m1", 3, usage=USAGE, requestId="r1", content=[TOOL]),
            assistant("m1", 4, usage={**USAGE, "output_tokens": 7}, requestId="r1"),
        ],
    )
    (call,) = of_kind(found, "llm")
    assert call.usage == Usage(12, 15_000, 900, 631, None, 300)
    assert (call.start_time, call.end_time) == (
        "2026-08-01T09:00:02.000000Z",
        "2026-08-01T09:00:04.000000Z",
    )
    assert call.calls == ("message:m1", "request:r1")
    assert (call.model, call.provider) == ("claude-opus-4-7", "anthropic")


def test_a_tool_call_ends_with_its_result_or_never() -> None:
    """`is_error` is its status, and the first line of its content the error."""
    other = {**TOOL, "id": "toolu_2"}
    found = translated(
        "claude-code",
        [
            assistant("m1", 2, content=[TOOL, other]),
            tool_result(
                "toolu_1", 4, is_error=True, content=[{"type": "text", "text": "no\nfile"}]
            ),
        ],
    )
    failed, unfinished = of_kind(found, "tool")
    assert (failed.tool_name, failed.status, failed.error) == ("Read", "error", "no")
    assert failed.end_time == "2026-08-01T09:00:04.000000Z"
    assert (unfinished.status, unfinished.end_time) == (None, None)


def test_what_the_client_writes_is_no_call() -> None:
    """Error messages, synthetic models, empty usage, echoes of subagents, sums of subagents."""
    zero = {"input_tokens": 0, "output_tokens": 0}
    synthetic = assistant("m1", 1, usage=USAGE)
    synthetic["message"]["model"] = "<synthetic>"
    found = translated(
        "claude-code",
        [
            synthetic,
            assistant("m2", 2, usage=USAGE, isApiErrorMessage=True),
            assistant("m3", 3, usage=zero),
            {
                "type": "progress",
                "sessionId": "s",
                "usage": USAGE,
                "data": {
                    "type": "agent_progress",
                    "message": {"message": {"id": "m4", "usage": USAGE}},
                },
            },
            {"type": "user", "sessionId": "s", "toolUseResult": {"usage": USAGE, "totalTokens": 9}},
            {"type": "summary", "summary": "words"},
        ],
    )
    assert found.spans == []
    assert found.run is not None


def test_an_aside_in_the_same_file_gives_way_to_the_call_itself() -> None:
    """The line that is not a sidechain owns the call, though the aside's output is larger."""
    found = translated(
        "claude-code",
        [
            assistant("m1", 2, usage=USAGE, requestId="r1"),
            assistant(
                "m1", 3, usage={**USAGE, "output_tokens": 9_000}, requestId="r2", isSidechain=True
            ),
        ],
    )
    (call,) = of_kind(found, "llm")
    assert call.usage.output_tokens == 631
    assert not call.is_inherited


def test_lines_with_forked_from_own_nothing() -> None:
    """Neither calls nor the start of the run; a run of copies alone begins with them."""
    fork = {"sessionId": "old", "messageUuid": "u"}
    copied = assistant("m1", 2, usage=USAGE, forkedFrom=fork)
    both = translated("claude-code", [copied, assistant("m2", 9, usage=USAGE)])
    inherited = {one.span_id: one.is_inherited for one in both.spans}
    assert inherited == {"m1": True, "m2": False}
    assert both.run is not None
    assert both.run.start_time == "2026-08-01T09:00:09.000000Z"
    alone = translated("claude-code", [copied]).run
    assert alone is not None
    assert alone.start_time == "2026-08-01T09:00:02.000000Z"


def test_a_session_claims_its_calls_before_its_subagents_and_background_copies() -> None:
    """The smaller claim is the stronger one; of two alike the session that began first."""
    line = assistant("m1", 2, usage=USAGE)
    later = assistant("m2", 9, usage=USAGE)
    background = assistant("m1", 2, usage=USAGE, sessionKind="bg")
    runs = [
        translated("claude-code", [line]),
        translated("claude-code", [later]),
        translated("claude-code", [background]),
        translated("claude-code", [line], agent_id="a1"),
    ]
    claims = [one.run.claim for one in runs if one.run]
    assert claims == sorted(claims)
    assert len(set(claims)) == 4


def test_a_subagent_is_a_child_run_of_its_session_or_of_another_subagent() -> None:
    """The sidecar says which agent started it; what it says else is context."""
    lines = [assistant("m1", 2, usage=USAGE, isSidechain=True, agentId="a1")]
    made = events("claude-code", "claude-code-s-agent-a1", "s", lines, "a1")
    child = translate(made).run
    sidecar = {"agentType": "explorer", "parentAgentId": "a0"}
    data = {"file": {"project": "-app", "sidecar": sidecar}, "session_id": "s", "agent_id": "a1"}
    nested = translate([*made, event("claude-code", "claude-code-s-agent-a1", data)]).run
    assert child is not None
    assert nested is not None
    assert (child.job_type, child.parent_run_id) == ("subagent", "claude-code-s")
    assert nested.parent_run_id == "claude-code-s-agent-a0"
    assert nested.context["agent_type"] == "explorer"


def test_a_log_and_a_line_of_one_request_are_one_span() -> None:
    """The line gives the tokens and its name, the log the costs that it lacks."""
    run_id = "claude-code-s"
    pairs = {
        "session.id": "s",
        "event.name": "api_request",
        "request_id": "r1",
        "cost_usd": "0.5",
        "model": "claude-opus-4-7",
        "duration_ms": "1000",
    }
    log = {
        "timeUnixNano": "1785574803000000000",
        "attributes": [{"key": n, "value": {"stringValue": v}} for n, v in pairs.items()],
    }
    service = {"key": "service.name", "value": {"stringValue": "claude-code"}}
    data = {"resource": {"attributes": [service]}, "scope": {}, "log": log}
    made = events("claude-code", run_id, "s", [assistant("m1", 3, usage=USAGE, requestId="r1")])
    made.append(Event("log", "r", "otel.log", run_id, "2026-08-01T09:00:03.000000Z", data))
    (call,) = translate(made).spans
    assert (call.span_id, call.name) == ("m1", "chat claude-opus-4-7")
    assert (call.usage.output_tokens, call.cost_reported_usd) == (631, 0.5)
    assert translate(reversed(made)) == translate(made)


def test_a_line_belongs_to_the_session_it_names() -> None:
    """By the line, not by its file; a subagent needs both its marks; a summary has no run."""
    ids = [
        claude_code_run_id({"sessionId": "s"}),
        claude_code_run_id({"sessionId": "s", "isSidechain": True}),
        claude_code_run_id({"sessionId": "s", "isSidechain": True, "agentId": "a"}),
        claude_code_run_id({"sessionId": "s", "agentId": "a"}),
        claude_code_run_id({"type": "summary"}),
    ]
    assert ids == [
        "claude-code-s",
        "claude-code-s",
        "claude-code-s-agent-a",
        "claude-code-s",
        UNASSIGNED,
    ]


def test_lines_of_every_shape_give_a_run_and_raise_nothing() -> None:
    """Numbers, lists, texts, misspelt keys, texts of JSON; what is an object in a text is read."""
    text = orjson.dumps(assistant("m9", 2, usage={"input_tokens": 1})).decode()
    odd = [
        42,
        [1],
        "words",
        None,
        {"type": "assistant", "message": "x"},
        {"type": "user", "message": {"content": ["x", {"type": "tool_result"}]}},
        {"type": "assistant", "message": {"id": 1, "content": {"a": 1}, "usage": []}},
        text,
    ]
    found = translated("claude-code", odd)
    assert [one.span_id for one in found.spans] == ["m9"]


def test_a_file_alone_is_no_run() -> None:
    """A file named for a session may hold the lines of others only."""
    data = {"file": {"project": "-app"}, "session_id": "s"}
    assert translate([event("claude-code", "claude-code-s", data)]) == (None, [])
