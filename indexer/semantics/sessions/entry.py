"""One message, thought, tool call or tool result of a session.

Made by the readers of the tools' lines, shown by the page of a run.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

import orjson

USER, ASSISTANT, THOUGHT, CALL, RESULT = "user", "assistant", "thought", "tool call", "tool result"
_MOST_CHARACTERS = 20_000
_MOST_DIFF_LINES = 400
_FENCE = re.compile(r"^```[^\n]*\n(.*?)(?:^```[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A part of a text: `text`, `code`, or `diff`."""

    kind: str
    text: str


class Entry(NamedTuple):
    """One thing that was said or done."""

    role: str
    title: str
    """The name of a tool; empty for messages."""
    blocks: list[Block]
    time: Optional[str]
    is_error: bool = False


def message(role: str, text: Any, time: Optional[str]) -> Optional[Entry]:
    """Return a message, its fenced code apart; None if it says nothing."""
    words = str(text or "").strip()[:_MOST_CHARACTERS]
    if not words:
        return None
    blocks, place = [], 0
    for fence in _FENCE.finditer(words):
        blocks += [Block("text", words[place : fence.start()].strip()), Block("code", fence[1])]
        place = fence.end()
    blocks.append(Block("text", words[place:].strip()))
    return Entry(role, "", [block for block in blocks if block.text], time)


def call(name: Any, arguments: Any, time: Optional[str]) -> Entry:
    """Return a tool call; a change of a file is shown as a diff."""
    title = str(name or "tool")
    if isinstance(arguments, str):
        arguments = _parsed(arguments)
    if isinstance(arguments, Mapping):
        return Entry(CALL, _titled(title, arguments), _blocks_of(arguments), time)
    kind = "diff" if "*** Begin Patch" in str(arguments) else "code"
    return Entry(CALL, title, [Block(kind, str(arguments or "")[:_MOST_CHARACTERS])], time)


def result(name: Any, output: Any, time: Optional[str], is_error: bool = False) -> Entry:
    """Return what a tool gave."""
    text = output if isinstance(output, str) else _words_of(output)
    return Entry(RESULT, str(name or ""), [Block("code", text[:_MOST_CHARACTERS])], time, is_error)


def _titled(title: str, arguments: Mapping[str, Any]) -> str:
    for key in ("file_path", "path", "command", "cmd", "pattern", "query", "url", "description"):
        if isinstance(arguments.get(key), str):
            return f"{title} {arguments[key][:120]}"
    return title


def _blocks_of(arguments: Mapping[str, Any]) -> list[Block]:
    old, new = arguments.get("old_string"), arguments.get("new_string")
    if isinstance(old, str) and isinstance(new, str):
        return [Block("diff", _diff(old, new))]
    for key in ("content", "input", "patch", "command", "cmd"):
        if isinstance(arguments.get(key), str):
            kind = "diff" if "*** Begin Patch" in arguments[key] else "code"
            return [Block(kind, arguments[key][:_MOST_CHARACTERS])]
    return [Block("code", _words_of(arguments)[:_MOST_CHARACTERS])]


def _diff(old: str, new: str) -> str:
    lines = difflib.unified_diff(
        old[:_MOST_CHARACTERS].splitlines()[:_MOST_DIFF_LINES],
        new[:_MOST_CHARACTERS].splitlines()[:_MOST_DIFF_LINES],
        lineterm="",
        n=2,
    )
    return "\n".join(list(lines)[2:])


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _words_of(value: Any) -> str:
    """Return a value as text: the texts of its parts where it has such, else as JSON."""
    if isinstance(value, list):
        texts = [one.get("text") for one in value if isinstance(one, Mapping)]
        if any(isinstance(text, str) for text in texts):
            return "\n".join(text for text in texts if isinstance(text, str))
    if value is None:
        return ""
    return orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode()
