"""Translate sessions of Claude Code: a JSON object per line, several lines per model call.

A call's lines repeat its usage while it streams, and sessions that were resumed or forked repeat
whole calls. Within a run the largest output is the call's; across runs its ids name the call.
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
from indexer.semantics.run_ids import CLAUDE_CODE, session_run_id
from indexer.semantics.sessions.line import SessionLine, merged_file_facts, span_of_times
from indexer.semantics.values import amount, count, first_line, mapping, sequence, text

# What the client writes itself in a model's place.
_NO_MODEL = "<synthetic>"


def translate(lines: list[SessionLine]) -> Translation:
    """Return what the lines of one session, or of one subagent, come to."""
    spans = [fact for line in lines for fact in _facts(line)]
    return Translation(_run(lines), spans)


def _run(lines: list[SessionLine]) -> RunFacts:
    file = merged_file_facts(lines)
    own = [one for one in lines if "forkedFrom" not in one.line]
    start, end = span_of_times([one.time for one in own or lines])
    if start is None:
        start, end = span_of_times([one.time for one in lines])
    agent = next((one.agent_id for one in lines if one.agent_id), None)
    return RunFacts(
        agent_name=CLAUDE_CODE,
        job_type="subagent" if agent else "session",
        status="success",
        start_time=start,
        end_time=end,
        git_branch=_last(lines, "gitBranch"),
        parent_run_id=_parent(lines[0].session_id, file) if agent else None,
        context=_context(lines, file, agent),
        claim=_claim(lines, agent),
    )


def _parent(session_id: str, file: Mapping[str, Any]) -> str:
    parent = text(mapping(file.get("sidecar")).get("parentAgentId")) or text(
        file.get("parent_agent_id")
    )
    return session_run_id(CLAUDE_CODE, session_id, parent)


def _context(
    lines: list[SessionLine], file: Mapping[str, Any], agent: Optional[str]
) -> dict[str, Any]:
    sidecar = mapping(file.get("sidecar"))
    found = {
        "session_id": lines[0].session_id,
        "agent_id": agent,
        "agent_type": text(sidecar.get("agentType")),
        "description": text(sidecar.get("description")),
        "project": text(file.get("project")),
        "cwd": _last(lines, "cwd"),
        "version": _last(lines, "version"),
    }
    return {name: value for name, value in found.items() if value}


def _last(lines: list[SessionLine], name: str) -> Optional[str]:
    """The last value of a field, by time: a session may be resumed from elsewhere."""
    known = [
        (one.time or "", one.place, value) for one in lines if (value := text(one.line.get(name)))
    ]
    return max(known)[2] if known else None


def _claim(lines: list[SessionLine], agent: Optional[str]) -> str:
    """A session before its subagents, one that was not sent to the background, the older one."""
    is_background = any(one.line.get("sessionKind") == "bg" for one in lines)
    start, _ = span_of_times([one.time for one in lines])
    return f"{int(agent is not None)}{int(is_background)} {start or ''}"


def _facts(line: SessionLine) -> Iterator[SpanFacts]:
    message = mapping(line.line.get("message"))
    kind = line.line.get("type")
    if kind == "assistant" and not _is_of_the_client(line.line, message):
        call = _model_call(line, message)
        if call is not None:
            yield call
        for block in sequence(message.get("content")):
            if mapping(block).get("type") == "tool_use":
                yield from _tool_use(line, block)
    elif kind == "user":
        for block in sequence(message.get("content")):
            if mapping(block).get("type") == "tool_result":
                yield from _tool_result(line, block)


def _is_of_the_client(line: Mapping[str, Any], message: Mapping[str, Any]) -> bool:
    return bool(line.get("isApiErrorMessage")) or message.get("model") == _NO_MODEL


def _model_call(line: SessionLine, message: Mapping[str, Any]) -> Optional[SpanFacts]:
    message_id = text(message.get("id"))
    usage = _usage(mapping(message.get("usage")))
    if message_id is None or (usage.is_known and usage.is_zero):
        return None
    request = text(line.line.get("requestId"))
    calls = (f"message:{message_id}", *((f"request:{request}",) if request else ()))
    model = text(message.get("model"))
    return SpanFacts(
        identities=calls,
        signal=FROM_LINE,
        vocabulary=CLAUDE_CODE,
        span_id=message_id,
        name=f"chat {model}" if model else "chat",
        kind=LLM,
        status=OK,
        start_time=line.time,
        end_time=line.time,
        model=model,
        provider="anthropic",
        usage=usage,
        cost_reported_usd=amount(line.line.get("costUSD")),
        calls=calls,
        is_inherited=_is_copy(line.line),
    )


def _usage(usage: Mapping[str, Any]) -> Usage:
    """Its input leaves out both caches, its output includes what was thought."""
    if not usage:
        return NO_USAGE
    created = mapping(usage.get("cache_creation"))
    five = count(created.get("ephemeral_5m_input_tokens"))
    hour = count(created.get("ephemeral_1h_input_tokens"))
    written = count(usage.get("cache_creation_input_tokens"))
    if written is None and (five is not None or hour is not None):
        written = (five or 0) + (hour or 0)
    return Usage(
        count(usage.get("input_tokens")),
        count(usage.get("cache_read_input_tokens")),
        written,
        count(usage.get("output_tokens")),
        None,
        hour,
    )


def _is_copy(line: Mapping[str, Any]) -> bool:
    """Whether a line is an aside's or a fork's, which repeat calls under the same message id."""
    return line.get("isSidechain") is True or "forkedFrom" in line


def _tool_use(line: SessionLine, block: Mapping[str, Any]) -> Iterator[SpanFacts]:
    tool_use = text(block.get("id"))
    if tool_use is not None:
        name = text(block.get("name"))
        yield _tool(line, tool_use, name, start_time=line.time)


def _tool_result(line: SessionLine, block: Mapping[str, Any]) -> Iterator[SpanFacts]:
    tool_use = text(block.get("tool_use_id"))
    if tool_use is not None:
        failed = block.get("is_error") is True
        yield _tool(
            line,
            tool_use,
            None,
            end_time=line.time,
            status=ERROR if failed else OK,
            error=_words(block.get("content")) if failed else None,
        )


def _tool(
    line: SessionLine,
    tool_use: str,
    tool_name: Optional[str],
    *,
    start_time: Optional[str] = None,
    end_time: Optional[str] = None,
    status: Optional[str] = None,
    error: Optional[str] = None,
) -> SpanFacts:
    call = f"tool:{tool_use}"
    return SpanFacts(
        identities=(call,),
        signal=FROM_LINE,
        vocabulary=CLAUDE_CODE,
        span_id=tool_use,
        name=f"execute_tool {tool_name}" if tool_name else None,
        kind=TOOL,
        status=status,
        start_time=start_time,
        end_time=end_time,
        tool_name=tool_name,
        error=error,
        calls=(call,),
        is_inherited=_is_copy(line.line),
    )


def _words(content: Any) -> Optional[str]:
    """The first line of a result's content, which is a text or blocks with texts."""
    if isinstance(content, str):
        return first_line(content)
    texts = (first_line(mapping(block).get("text")) for block in sequence(content))
    return next((one for one in texts if one), None)
