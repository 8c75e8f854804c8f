"""The lines of a Claude Code session, as entries.

Called by the reader of transcripts.
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
from indexer.semantics.values import mapping

_ROLES = {"user": USER, "assistant": ASSISTANT}


def entries(lines: list[SessionLine]) -> Iterator[Optional[Entry]]:
    """Yield the entries of a session, None for what says nothing."""
    tools: dict[Any, Any] = {}
    for line in lines:
        role = _ROLES.get(str(line.line.get("type")))
        content = mapping(line.line.get("message")).get("content")
        if role is None or line.line.get("isMeta"):
            continue
        if isinstance(content, str):
            yield message(role, content, line.time)
            continue
        for block in content if isinstance(content, list) else ():
            yield _entry(role, mapping(block), line.time, tools)


def is_turn(line: Mapping[str, Any]) -> bool:
    """Whether a line is what a person said: results of tools are of type `user` as well."""
    if line.get("type") != "user" or line.get("isMeta"):
        return False
    content = mapping(line.get("message")).get("content")
    if isinstance(content, list):
        return mapping(content[0]).get("type") == "text" if content else False
    return isinstance(content, str)


def _entry(
    role: str, block: Mapping[str, Any], time: Optional[str], tools: dict[Any, Any]
) -> Optional[Entry]:
    kind = block.get("type")
    if kind == "text":
        return message(role, block.get("text"), time)
    if kind == "thinking":
        return message(THOUGHT, block.get("thinking"), time)
    if kind == "tool_use":
        tools[str(block.get("id"))] = block.get("name")
        return call(block.get("name"), block.get("input"), time)
    if kind == "tool_result":
        name = tools.get(str(block.get("tool_use_id")))
        return result(name, block.get("content"), time, bool(block.get("is_error")))
    return message(role, f"[{kind}]", time) if kind else None
