"""Sessions of Codex: running totals, copies of ancestors, and calls that are written twice."""

from __future__ import annotations

from typing import Any

from indexer.semantics.facts import Usage
from indexer.semantics.translate import translate
from telemetry_core.event import Event
from tests.semantics.sessions import (
    codex,
    codex_tokens,
    events,
    of_kind,
    token_count,
    translated,
)

META = codex(0, "session_meta", id="s", cwd="/app", cli_version="0.160", model_provider="openai")
TURN = codex(1, "turn_context", turn_id="t", model="gpt-6")
FIRST = codex_tokens(3_000, 2_000, 50, 20)
BOTH = codex_tokens(5_000, 3_500, 80, 30)


def _usages(lines: list[Any]) -> list[Usage]:
    calls = of_kind(translated("codex", lines), "llm")
    return [one.usage for one in sorted(calls, key=lambda one: one.start_time or "")]


def test_a_usage_record_is_the_call_and_the_totals_beside_it_are_not() -> None:
    """Both are written for one response; the record names it."""
    record = codex(
        4,
        "token_usage_record",
        thread_id="s",
        response_id="resp_1",
        usage={**FIRST, "cache_write_input_tokens": 100},
    )
    found = translated("codex", [META, TURN, record, token_count(5, FIRST, FIRST)])
    (call,) = of_kind(found, "llm")
    assert call.usage == Usage(900, 2_000, 100, 50, 20)
    assert (call.span_id, call.model, call.provider) == ("resp_1", "gpt-6", "openai")


def test_totals_that_come_again_are_no_call() -> None:
    """New rate limits repeat them; two equal requests differ in the total."""
    twice = codex_tokens(6_000, 4_000, 100, 40)
    lines = [
        META,
        TURN,
        token_count(2, FIRST, FIRST),
        token_count(3, FIRST, FIRST),
        token_count(4, twice, FIRST),
        codex(5, "event_msg", type="token_count", info=None),
    ]
    assert _usages(lines) == [Usage(1_000, 2_000, 0, 50, 20)] * 2


def test_without_the_last_usage_it_is_the_difference_of_the_totals() -> None:
    """In the order of the file; an old total that is repeated is no base for the next."""
    third = codex_tokens(5_500, 3_500, 90, 30)
    lines = [
        META,
        token_count(2, FIRST, None),
        token_count(3, BOTH, None),
        {**token_count(9, FIRST, None), "again": True},
        token_count(4, third, None),
    ]
    assert _usages(lines) == [
        Usage(1_000, 2_000, 0, 50, 20),
        Usage(500, 1_500, 0, 30, 10),
        Usage(500, 0, 0, 10, 0),
    ]


def test_a_fall_of_the_totals_is_a_new_beginning() -> None:
    """After an overflow they are all nothing but their sum, and start again."""
    overflow = {**codex_tokens(0, 0, 0), "total_tokens": 272_000}
    small = codex_tokens(10, 0, 5)
    lines = [
        META,
        token_count(2, BOTH, None),
        token_count(3, overflow, None),
        token_count(4, small, None),
    ]
    assert _usages(lines) == [Usage(1_500, 3_500, 0, 80, 30), Usage(10, 0, 0, 5, 0)]


def test_the_order_is_that_of_the_lines() -> None:
    """Clocks step back; the position in the file does not."""
    lines = [META, token_count(30, FIRST, None), token_count(2, BOTH, None)]
    usages = {one.usage for one in of_kind(translated("codex", lines), "llm")}
    assert usages == {Usage(1_000, 2_000, 0, 50, 20), Usage(500, 1_500, 0, 30, 10)}


def test_the_model_of_a_call_is_that_of_the_last_turn_before_it() -> None:
    """What the totals say themselves goes first."""
    named = token_count(5, BOTH, None)
    named["payload"]["info"]["model"] = "gpt-7"
    lines = [
        META,
        TURN,
        token_count(2, FIRST, None),
        codex(3, "turn_context", model="gpt-6-mini"),
        named,
    ]
    calls = of_kind(translated("codex", lines), "llm")
    assert {one.start_time: one.model for one in calls} == {
        "2026-08-20T10:00:02.000000Z": "gpt-6",
        "2026-08-20T10:00:05.000000Z": "gpt-7",
    }


def test_tools_are_joined_by_their_call() -> None:
    """Outputs end them, further events say more of the same call, copies in summaries are none."""
    found = translated(
        "codex",
        [
            META,
            codex(2, "response_item", type="function_call", name="exec_command", call_id="c1"),
            codex(3, "response_item", type="function_call_output", call_id="c1", output="ok"),
            codex(4, "response_item", type="custom_tool_call", name="apply_patch", call_id="c2"),
            codex(
                5,
                "response_item",
                type="custom_tool_call_output",
                call_id="c2",
                output={"success": False, "content": "does not apply\nhere"},
            ),
            codex(5, "event_msg", type="patch_apply_end", call_id="c2", success=False),
            codex(6, "response_item", type="web_search_call", id="w1"),
            codex(7, "response_item", type="function_call", name="wait", call_id="c3"),
            codex(8, "compacted", replacement_history=[{"type": "function_call", "call_id": "c9"}]),
        ],
    )
    rows = [(one.span_id, one.tool_name, one.status, one.error) for one in found.spans]
    assert rows == [
        ("c1", "exec_command", "ok", None),
        ("c2", "apply_patch", "error", "does not apply"),
        ("c3", "wait", None, None),
        ("w1", "web_search", "ok", None),
    ]


def test_a_spawned_thread_is_a_child_run_and_a_fork_is_not() -> None:
    """The parent is named by the spawn; a fork only says where it came from."""
    spawn = {"subagent": {"thread_spawn": {"parent_thread_id": "p"}}}
    child = translated("codex", [codex(0, "session_meta", id="s", source=spawn)]).run
    fork = translated("codex", [codex(0, "session_meta", id="s", forked_from_id="p")]).run
    assert child is not None
    assert fork is not None
    assert (child.parent_run_id, child.job_type) == ("codex-p", "subagent")
    assert (fork.parent_run_id, fork.context["forked_from_id"]) == (None, "p")


def test_what_a_thread_says_it_inherited_is_left_out_but_moves_the_totals() -> None:
    """The first own line is named by its number."""
    meta = codex(0, "session_meta", id="s", subagent_history_start_ordinal=3)
    lines: list[Any] = [meta, TURN, token_count(2, FIRST, None), token_count(3, BOTH, None)]
    numbered = [{**line, "ordinal": number} for number, line in enumerate(lines)]
    assert _usages(numbered) == [Usage(500, 1_500, 0, 30, 10)]


def test_a_copy_ends_where_the_thread_sets_its_own_settings() -> None:
    """After the session_meta of an ancestor; what was copied moves the totals all the same."""
    lines = [
        codex(0, "session_meta", id="s", parent_thread_id="p"),
        codex(1, "session_meta", id="p"),
        token_count(2, FIRST, None),
        codex(3, "event_msg", type="thread_settings_applied", thread_id="s"),
        token_count(4, BOTH, None),
    ]
    assert _usages(lines) == [Usage(500, 1_500, 0, 30, 10)]


def test_records_of_another_thread_are_copies() -> None:
    """A usage record is a thread's own if it names it."""
    record = codex(4, "token_usage_record", thread_id="p", response_id="resp_1", usage=FIRST)
    assert translated("codex", [META, record]).spans == []


def test_a_copied_call_has_the_name_that_the_original_has() -> None:
    """By the root of the tree and the totals; so the parent's claim and the child's meet."""
    parent = translated("codex", [META, token_count(2, FIRST, FIRST)])
    copied = [
        codex(9, "session_meta", id="c", parent_thread_id="s"),
        META,
        token_count(10, FIRST, FIRST),
        token_count(11, BOTH, None),
    ]
    child = translated("codex", copied, session_id="c")
    names = {name for one in child.spans for name in one.calls}
    assert {name for one in parent.spans for name in one.calls} < names
    assert len(child.spans) == 2
    assert parent.run is not None
    assert child.run is not None
    assert parent.run.claim < child.run.claim
    assert child.run.start_time == "2026-08-20T10:00:09.000000Z"


def test_a_log_without_a_call_id_is_joined_by_its_counts() -> None:
    """The second call of the same counts is another one, in the session and in the logs."""
    made = events(
        "codex",
        "codex-s",
        "s",
        [
            META,
            TURN,
            token_count(2, FIRST, FIRST),
            token_count(4, codex_tokens(6_000, 4_000, 100, 40), FIRST),
        ],
    )
    for number in range(2):
        pairs = {
            "event.name": "codex.sse_event",
            "conversation.id": "s",
            "input_token_count": "3000",
            "cached_token_count": "2000",
            "output_token_count": "50",
            "reasoning_token_count": "20",
        }
        log = {
            "observedTimeUnixNano": str(1787220002000000000 + number),
            "attributes": [{"key": n, "value": {"stringValue": v}} for n, v in pairs.items()],
        }
        data = {"resource": {}, "scope": {}, "log": log}
        made.append(
            Event(f"log-{number}", "r", "otel.log", "codex-s", "2026-08-20T10:00:02.000000Z", data)
        )
    assert len(translate(made).spans) == 2
    assert len(translate(made[:-1]).spans) == 2


def test_the_earliest_files_have_bare_items() -> None:
    """Without times and usage, and with lines of state in between."""
    found = translated(
        "codex",
        [
            {"id": "s", "timestamp": "2025-05-01T00:00:00Z", "instructions": None},
            {"type": "function_call", "name": "shell", "call_id": "c1"},
            {"record_type": "state"},
            {"type": "function_call_output", "call_id": "c1", "output": "x"},
        ],
    )
    assert [(one.span_id, one.status) for one in found.spans] == [("c1", "ok")]
