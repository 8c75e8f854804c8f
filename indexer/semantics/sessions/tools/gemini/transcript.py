"""The lines of a Gemini CLI session, as entries.

Called by the reader of transcripts. A message is written again as it grows: the last counts, and
it stands where it first stood.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from indexer.semantics.sessions.entry import (
    ASSISTANT,
    THOUGHT,
    USER,
    Entry,
    call,
    message,
    result,
)
from indexer.semantics.sessions.line import SessionLine
from indexer.semantics.values import mapping, text


def entries(lines: list[SessionLine]) -> Iterator[Optional[Entry]]:
    """Yield the entries of a session, None for what says nothing."""
    messages: dict[str, Mapping[str, Any]] = {}
    for line in lines:
        for one in _messages(line.line):
            if text(one.get("id")):
                messages[str(one["id"])] = one
    for one in messages.values():
        yield from _of_message(one)


def is_turn(line: Mapping[str, Any]) -> bool:
    """Whether a line is what a person said."""
    return line.get("type") == "user"


def _messages(line: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "$set" in line:
        line = mapping(line["$set"])
    many = line.get("messages")
    return [mapping(one) for one in many] if isinstance(many, list) else [line]


def _of_message(one: Mapping[str, Any]) -> Iterator[Optional[Entry]]:
    time = text(one.get("timestamp"))
    role = USER if one.get("type") == "user" else ASSISTANT
    thoughts = one.get("thoughts")
    for thought in thoughts if isinstance(thoughts, list) else ():
        yield message(THOUGHT, mapping(thought).get("description"), time)
    yield message(role, _words(one.get("content")), time)
    calls = one.get("toolCalls")
    for item in calls if isinstance(calls, list) else ():
        tool = mapping(item)
        yield call(tool.get("name"), tool.get("args"), time)
        if tool.get("result") is not None:
            yield result(tool.get("name"), _output(tool), time, tool.get("status") == "error")


def _words(content: Any) -> str:
    if isinstance(content, list):
        return "\n\n".join(str(mapping(part).get("text") or "") for part in content)
    return str(content or "")


def _output(tool: Mapping[str, Any]) -> Any:
    results = tool["result"]
    first = mapping(results[0]) if isinstance(results, list) and results else {}
    response = mapping(mapping(first.get("functionResponse")).get("response"))
    return response.get("output", results)
