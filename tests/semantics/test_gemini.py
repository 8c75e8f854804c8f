"""Sessions of Gemini CLI: messages written again, rewound, and repeated in whole conversations."""

from __future__ import annotations

from typing import Any

from indexer.semantics.facts import Usage
from indexer.semantics.run_ids import gemini_run_id
from indexer.semantics.translate import translate
from tests.semantics.sessions import event, events, of_kind, translated

HEAD = {"sessionId": "s", "startTime": "2026-08-21T09:00:00.000Z", "kind": "main"}


def _message(message_id: str, second: int, **more: Any) -> dict[str, Any]:
    return {
        "id": message_id,
        "type": "gemini",
        "model": "gemini-3-pro",
        "timestamp": f"2026-08-21T09:00:{second:02d}.000Z",
        **more,
    }


def _tokens(*counts: int, total: int) -> dict[str, int]:
    names = ("input", "cached", "output", "thoughts", "tool")
    return {**dict(zip(names, counts)), "total": total}


TOKENS = _tokens(1_500, 1_000, 40, 60, 10, total=1_610)
CALL = {
    "id": "t1",
    "name": "read_file",
    "status": "success",
    "timestamp": "2026-08-21T09:00:04.000Z",
}


def test_a_message_written_again_is_one_call() -> None:
    """Without tokens, with them, with tool calls, and in a conversation that was replaced."""
    full = _message("g1", 3, tokens=TOKENS, toolCalls=[CALL])
    found = translated(
        "gemini",
        [
            HEAD,
            _message("g1", 3, tokens=None),
            _message("g1", 3, tokens=TOKENS),
            full,
            {"$rewindTo": "g1"},
            {"$set": {"messages": [_message("g1", 3)], "lastUpdated": "2026-08-21T09:01:00.000Z"}},
        ],
    )
    (call,) = of_kind(found, "llm")
    (tool,) = of_kind(found, "tool")
    assert call.usage == Usage(510, 1_000, 0, 100, 60)
    assert (tool.tool_name, tool.status, tool.start_time, tool.end_time) == (
        "read_file",
        "ok",
        "2026-08-21T09:00:03.000000Z",
        "2026-08-21T09:00:04.000000Z",
    )


def test_a_total_that_counts_cached_tokens_again_means_exclusive_input() -> None:
    """The sum says whether the input includes what was cached."""
    exclusive = _tokens(500, 1_000, 40, 0, 0, total=1_540)
    found = translated("gemini", [HEAD, _message("g1", 3, tokens=exclusive)])
    assert found.spans[0].usage == Usage(500, 1_000, 0, 40, 0)


def test_a_message_without_tokens_has_unknown_usage() -> None:
    """NULL, not nothing; and tokens that are all nothing are no call."""
    zero = _tokens(0, 0, 0, 0, 0, total=0)
    found = translated("gemini", [HEAD, _message("g1", 3), _message("g2", 4, tokens=zero)])
    assert [(one.span_id, one.usage) for one in found.spans] == [("g1", Usage())]


def test_tool_calls_that_are_scheduled_have_not_ended() -> None:
    """Only success, error and cancelled end them."""
    calls = [
        {**CALL, "id": f"t{n}", "status": status}
        for n, status in enumerate(["executing", "error", "cancelled"])
    ]
    found = translated("gemini", [HEAD, _message("g1", 3, toolCalls=calls)])
    assert [one.status for one in of_kind(found, "tool")] == [None, "error", "error"]


def test_the_older_document_is_the_same_session() -> None:
    """One JSON object for all messages; next to a newer file it adds nothing."""
    document = {**HEAD, "messages": [_message("g1", 3, tokens=TOKENS)]}
    newer = events("gemini", "gemini-s", "s", [HEAD, _message("g1", 3, tokens=TOKENS)])
    older = events("gemini", "gemini-s", "s", [document])
    assert translate([*newer, *older]).spans == translate(newer).spans
    assert translate(older).spans == translate(newer).spans


def test_a_subagent_is_a_child_of_the_root_session() -> None:
    """The folder is the root's, at every depth."""
    run_id = gemini_run_id("s", "a1")
    made = events("gemini", run_id, "s", [HEAD, _message("g1", 3)], "a1")
    data = {"file": {"parent_session_id": "s", "project": "app"}, "session_id": "s"}
    run = translate([*made, event("gemini", run_id, data)]).run
    assert run is not None
    assert (run.parent_run_id, run.context["project"]) == ("gemini-s", "app")
    assert (run.start_time, run.end_time) == (
        "2026-08-21T09:00:00.000000Z",
        "2026-08-21T09:00:03.000000Z",
    )
