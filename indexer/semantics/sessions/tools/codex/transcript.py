"""The lines of a Codex session, as entries.

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

_CALLS = ("function_call", "custom_tool_call", "local_shell_call", "web_search_call")


def entries(lines: list[SessionLine]) -> Iterator[Optional[Entry]]:
    """Yield the entries of a session, None for what says nothing."""
    tools: dict[Any, Any] = {}
    for line in lines:
        if line.line.get("type") == "response_item":
            yield _entry(mapping(line.line.get("payload")), line.time, tools)


def is_turn(line: Mapping[str, Any]) -> bool:
    """Whether a line is what a person said."""
    return mapping(line.get("payload")).get("type") == "user_message"


def _entry(item: Mapping[str, Any], time: Optional[str], tools: dict[Any, Any]) -> Optional[Entry]:
    kind = item.get("type")
    if kind == "message":
        role = USER if item.get("role") == "user" else ASSISTANT
        return message(role, _texts(item.get("content")), time)
    if kind == "reasoning":
        return message(THOUGHT, _texts(item.get("summary")), time)
    if kind in _CALLS:
        name = item.get("name") or str(kind).removesuffix("_call")
        tools[str(item.get("call_id"))] = name
        return call(name, item.get("arguments") or item.get("input") or item.get("action"), time)
    if str(kind).endswith("_output"):
        return result(tools.get(str(item.get("call_id"))), item.get("output"), time)
    return None


def _texts(parts: Any) -> str:
    texts = [mapping(part).get("text") for part in parts] if isinstance(parts, list) else []
    return "\n\n".join(text for text in texts if isinstance(text, str))
