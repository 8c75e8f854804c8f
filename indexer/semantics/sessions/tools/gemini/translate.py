"""Translate sessions of Gemini CLI, whose messages are written again as they gain tokens.

What was rewound or replaced was paid for: it stays. The last writing of a message counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from indexer.semantics.facts import (
    ERROR,
    FROM_LINE,
    LLM,
    NO_USAGE,
    OK,
    TOOL,
    RunFacts,
    SpanFacts,
    Translation,
    Usage,
)
from indexer.semantics.run_ids import GEMINI, gemini_run_id
from indexer.semantics.sessions.line import SessionLine, merged_file_facts, span_of_times
from indexer.semantics.values import count, iso_time, mapping, sequence, text

_ENDED = {"success": OK, "error": ERROR, "cancelled": ERROR}


def translate(lines: list[SessionLine]) -> Translation:
    """Return what the lines of one session, or of one subagent, come to."""
    lines = sorted(lines, key=lambda line: line.place)
    messages: dict[str, Mapping[str, Any]] = {}
    times: list[Optional[str]] = []
    for line in lines:
        times += [line.time, iso_time(line.line.get("startTime"))]
        for message in _messages(line.line):
            times.append(iso_time(message.get("timestamp")))
            _keep_last(messages, message)
    spans = [fact for message in messages.values() for fact in _facts(message)]
    return Translation(_run(lines, times), spans)


def _messages(line: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A line is a message, replaces the conversation, or, in older files, is all of it."""
    if text(line.get("id")) is not None:
        yield line
    for message in (
        *sequence(mapping(line.get("$set")).get("messages")),
        *sequence(line.get("messages")),
    ):
        if text(mapping(message).get("id")) is not None:
            yield message


def _keep_last(messages: dict[str, Mapping[str, Any]], message: Mapping[str, Any]) -> None:
    """A writing without tokens or tool calls takes nothing from one that has them."""
    if message.get("type") != "gemini":
        return
    known = messages.get(message["id"], {})
    kept = {
        name: known[name]
        for name in ("tokens", "toolCalls", "model")
        if known.get(name) and not message.get(name)
    }
    messages[message["id"]] = {**message, **kept}


def _run(lines: list[SessionLine], times: list[Optional[str]]) -> RunFacts:
    file = merged_file_facts(lines)
    start, end = span_of_times(times)
    session, agent = lines[0].session_id, next((o.agent_id for o in lines if o.agent_id), None)
    parent = text(file.get("parent_session_id")) or session
    context = {"session_id": session, "agent_id": agent, "project": text(file.get("project"))}
    return RunFacts(
        agent_name=GEMINI,
        job_type="subagent" if agent else "session",
        status="success",
        start_time=start,
        end_time=end,
        parent_run_id=gemini_run_id(parent) if agent else None,
        context={name: value for name, value in context.items() if value},
        claim=f"{int(agent is not None)}0 {start or ''}",
    )


def _facts(message: Mapping[str, Any]) -> Iterator[SpanFacts]:
    time = iso_time(message.get("timestamp"))
    tokens = message.get("tokens")
    usage = _usage(tokens) if isinstance(tokens, dict) else NO_USAGE
    if not (usage.is_known and usage.is_zero):
        yield _model_call(message, time, usage)
    for call in sequence(message.get("toolCalls")):
        yield from _tool_call(mapping(call), time)


def _model_call(message: Mapping[str, Any], time: Optional[str], usage: Usage) -> SpanFacts:
    model = text(message.get("model"))
    return SpanFacts(
        identities=(f"message:{message['id']}",),
        signal=FROM_LINE,
        vocabulary=GEMINI,
        span_id=message["id"],
        name=f"chat {model}" if model else "chat",
        kind=LLM,
        status=OK,
        start_time=time,
        end_time=time,
        model=model,
        provider="google",
        usage=usage,
    )


def _usage(tokens: Mapping[str, Any]) -> Usage:
    """Its input includes what was cached, its output leaves out what was thought."""
    prompt, cached = count(tokens.get("input")), count(tokens.get("cached")) or 0
    tool, thoughts = count(tokens.get("tool")) or 0, count(tokens.get("thoughts")) or 0
    output = count(tokens.get("output"))
    if prompt is None or output is None:
        return Usage(prompt, cached, 0, output, thoughts)
    # A total that counts the cached tokens once more says that the input leaves them out.
    is_exclusive = count(tokens.get("total")) == prompt + output + thoughts + tool + cached
    if not is_exclusive or not cached:
        prompt = max(0, prompt - cached)
    return Usage(prompt + tool, cached, 0, output + thoughts, thoughts)


def _tool_call(call: Mapping[str, Any], asked_at: Optional[str]) -> Iterator[SpanFacts]:
    call_id, name = text(call.get("id")), text(call.get("name"))
    if call_id is None:
        return
    status = _ENDED.get(str(call.get("status")))
    yield SpanFacts(
        identities=(f"tool:{call_id}",),
        signal=FROM_LINE,
        vocabulary=GEMINI,
        span_id=call_id,
        name=f"execute_tool {name}" if name else "execute_tool",
        kind=TOOL,
        status=status,
        start_time=asked_at,
        end_time=(iso_time(call.get("timestamp")) or asked_at) if status else None,
        tool_name=name,
        error=text(call.get("status")) if status == ERROR else None,
    )
