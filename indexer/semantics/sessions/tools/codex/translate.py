"""Translate sessions of Codex: the threads' rollout files, in which order decides.

A thread's file may begin with a copy of its ancestors' lines. What is known to be copied is
left out; for the rest, the names of calls contain the root of the tree, so that parent and child
claim the same ones and the parent has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from indexer.semantics.facts import (
    ERROR,
    FROM_LINE,
    LLM,
    OK,
    TOOL,
    RunFacts,
    SpanFacts,
    Translation,
    Usage,
    usage_of_inclusive,
)
from indexer.semantics.run_ids import CODEX, codex_run_id
from indexer.semantics.sessions.line import SessionLine, span_of_times
from indexer.semantics.sessions.tools.codex.thread import Thread, read_thread
from indexer.semantics.sessions.tools.codex.token_totals import TokenTotals
from indexer.semantics.values import count, first_line, mapping, text

_TOOL_CALLS = (
    "function_call",
    "custom_tool_call",
    "local_shell_call",
    "web_search_call",
    "tool_search_call",
    "image_generation_call",
)
# Calls without an output of their own: the item is written when it is done.
_DONE_AT_ONCE = ("web_search_call", "image_generation_call")
_TOOL_ENDS = ("mcp_tool_call_end", "patch_apply_end", "web_search_end", "exec_command_end")


def translate(lines: list[SessionLine]) -> Translation:
    """Return what the lines of one thread come to."""
    lines = sorted(lines, key=lambda line: line.place)
    thread = read_thread(lines)
    return Translation(_run(lines, thread), list(_facts(lines, thread)))


def _run(lines: list[SessionLine], thread: Thread) -> RunFacts:
    first, last = span_of_times([one.time for one in lines])
    start = thread.meta_time or first
    forked_from = text(thread.meta.get("forked_from_id"))
    context = {
        "session_id": lines[0].session_id,
        "cwd": text(thread.meta.get("cwd")),
        "version": text(thread.meta.get("cli_version")),
        "originator": text(thread.meta.get("originator")),
        "forked_from_id": forked_from,
    }
    return RunFacts(
        agent_name=CODEX,
        job_type="subagent" if thread.parent else "session",
        status="success",
        start_time=start,
        end_time=last,
        git_branch=text(mapping(thread.meta.get("git")).get("branch")),
        parent_run_id=codex_run_id(thread.parent) if thread.parent else None,
        context={name: value for name, value in context.items() if value},
        claim=f"{int(bool(thread.parent or forked_from))}0 {start or ''}",
    )


def _facts(lines: list[SessionLine], thread: Thread) -> Iterator[SpanFacts]:
    totals, model = TokenTotals(), None
    has_records = any(_is_own_record(one) for one in lines)
    for one in lines:
        kind, payload = _item(one.line)
        is_copy = thread.own_from is not None and one.place < thread.own_from
        if kind == "turn_context":
            model = text(payload.get("model")) or model
        elif kind == "token_usage_record" and _is_own_record(one) and not is_copy:
            yield from _recorded_call(one, thread, payload, model)
        elif kind == "event_msg" and payload.get("type") == "token_count" and not has_records:
            usage = totals.next_call(mapping(payload.get("info")))
            if usage is not None and not is_copy:
                yield _counted_call(one, thread, payload, usage, model)
        elif not is_copy:
            yield from _tool_facts(one, thread, kind, payload)


def _item(line: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """The type of a line and what it carries; the earliest files have the bare item."""
    kind = line.get("type")
    if "payload" in line:
        return kind, mapping(line["payload"])
    return "response_item", line


def _is_own_record(line: SessionLine) -> bool:
    """Whether a line has the usage of one response of this very thread."""
    if line.line.get("type") != "token_usage_record":
        return False
    thread = mapping(line.line.get("payload")).get("thread_id")
    return thread is None or thread == line.session_id


def _recorded_call(
    line: SessionLine, thread: Thread, payload: Mapping[str, Any], model: Optional[str]
) -> Iterator[SpanFacts]:
    response = text(payload.get("response_id"))
    usage = usage_of(mapping(payload.get("usage")))
    if response is not None and not usage.is_zero:
        name = f"response:{response}"
        yield _call(line, thread, name, response, usage, text(payload.get("model")) or model)


def _counted_call(
    line: SessionLine,
    thread: Thread,
    payload: Mapping[str, Any],
    usage: Mapping[str, Any],
    model: Optional[str],
) -> SpanFacts:
    # Imported here: it loads OpenSSL, and few sessions have calls without an id.
    from hashlib import blake2b

    info = mapping(payload.get("info"))
    total = repr(sorted(mapping(info.get("total_token_usage")).items())) or line.event_id
    # Imported here: hashlib loads OpenSSL, which no other command needs.

    digest = blake2b(total.encode(), digest_size=8).hexdigest()
    model = text(info.get("model")) or model
    return _call(line, thread, f"usage:{digest}", f"usage-{digest}", usage_of(usage), model)


def usage_of(usage: Mapping[str, Any]) -> Usage:
    """Return usage as Codex counts it: input includes what was cached, output reasoning."""
    return usage_of_inclusive(
        count(usage.get("input_tokens")),
        count(usage.get("cached_input_tokens")),
        count(usage.get("cache_write_input_tokens")) or 0,
        count(usage.get("output_tokens")),
        count(usage.get("reasoning_output_tokens")),
    )


def _call(  # noqa: PLR0917  # the parts of a model call, in their order
    line: SessionLine,
    thread: Thread,
    name: str,
    span_id: str,
    usage: Usage,
    model: Optional[str],
) -> SpanFacts:
    return SpanFacts(
        identities=(name,),
        signal=FROM_LINE,
        vocabulary=CODEX,
        span_id=span_id,
        name=f"chat {model}" if model else "chat",
        kind=LLM,
        status=OK,
        start_time=line.time,
        end_time=line.time,
        model=model,
        provider=text(thread.meta.get("model_provider")),
        usage=usage,
        calls=(f"codex:{thread.root}:{name}",),
    )


def _tool_facts(
    line: SessionLine, thread: Thread, kind: Any, payload: Mapping[str, Any]
) -> Iterator[SpanFacts]:
    what = text(payload.get("type")) or ""
    call_id = text(payload.get("call_id")) or text(payload.get("id"))
    if call_id is None:
        return
    if kind == "response_item" and what in _TOOL_CALLS:
        name = text(payload.get("name")) or what[: -len("_call")]
        ends = line.time if what in _DONE_AT_ONCE else None
        yield _tool(thread, call_id, name, line.time, ends, OK if ends else None)
    elif kind == "response_item" and what.endswith("_output"):
        error = _output_error(payload)
        yield _tool(thread, call_id, None, None, line.time, ERROR if error else OK, error)
    elif kind == "event_msg" and what in _TOOL_ENDS:
        failed = payload.get("success") is False
        yield _tool(thread, call_id, None, None, line.time, ERROR if failed else OK)


def _output_error(payload: Mapping[str, Any]) -> Optional[str]:
    """What a tool's output says of its failure, None for one that succeeded."""
    output = mapping(payload.get("output"))
    if output.get("success") is not False:
        return None
    return first_line(output.get("content")) or "failed"


def _tool(  # noqa: PLR0917  # the parts of a tool call, in their order
    thread: Thread,
    call_id: str,
    tool_name: Optional[str],
    start_time: Optional[str],
    end_time: Optional[str],
    status: Optional[str],
    error: Optional[str] = None,
) -> SpanFacts:
    return SpanFacts(
        identities=(f"tool:{call_id}",),
        signal=FROM_LINE,
        vocabulary=CODEX,
        span_id=call_id,
        name=f"execute_tool {tool_name}" if tool_name else None,
        kind=TOOL,
        status=status,
        start_time=start_time,
        end_time=end_time,
        tool_name=tool_name,
        error=error,
        calls=(f"codex:{thread.root}:tool:{call_id}",),
    )
