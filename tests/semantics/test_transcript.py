"""Transcripts: what was said and done in a session, from the lines of each tool."""

from __future__ import annotations

from typing import Any

import pytest

from indexer.semantics.sessions.entry import Block, Entry, message
from indexer.semantics.sessions.line import SessionLine, read_line
from indexer.semantics.sessions.tools import all_tools

CLAUDE_CODE, CODEX, GEMINI = all_tools().values()
TIME = "2026-08-01T09:00:00.000Z"


def _lines(*lines: Any) -> list[SessionLine]:
    return [read_line(f"e{number}", {"line": line}) for number, line in enumerate(lines)]


def _told(entries: Any) -> list[tuple[str, str, str]]:
    found: list[Entry] = [entry for entry in entries if entry is not None]
    return [(one.role, one.title, one.blocks[0].text) for one in found]


def test_a_claude_code_session() -> None:
    """Messages, thoughts, a change as a diff, and its result by the tool's name."""
    edit = {"file_path": "/a.py", "old_string": "x = 1", "new_string": "x = 2"}
    lines = _lines(
        {"type": "user", "timestamp": TIME, "message": {"content": "Change it"}},
        {"type": "user", "isMeta": True, "message": {"content": "not said by anybody"}},
        {
            "type": "assistant",
            "timestamp": TIME,
            "message": {
                "content": [
                    {"type": "thinking", "thinking": "hm"},
                    {"type": "text", "text": "Done:"},
                    {"type": "tool_use", "id": "t1", "name": "Edit", "input": edit},
                ]
            },
        },
        {
            "type": "user",
            "message": {
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "no", "is_error": True}
                ]
            },
        },
    )
    entries = [one for one in CLAUDE_CODE.entries(lines) if one]
    assert _told(entries) == [
        ("user", "", "Change it"),
        ("thought", "", "hm"),
        ("assistant", "", "Done:"),
        ("tool call", "Edit /a.py", "@@ -1 +1 @@\n-x = 1\n+x = 2"),
        ("tool result", "Edit", "no"),
    ]
    assert [one.is_error for one in entries] == [False] * 4 + [True]


def test_a_codex_session() -> None:
    """Calls and their outputs are joined by the call's id; other lines say nothing."""
    lines = _lines(
        {"type": "session_meta", "payload": {"id": "x"}},
        *(
            {"type": "response_item", "timestamp": TIME, "payload": payload}
            for payload in (
                {"type": "message", "role": "user", "content": [{"text": "List"}]},
                {"type": "reasoning", "summary": [{"text": "think"}]},
                {
                    "type": "function_call",
                    "name": "shell",
                    "call_id": "c",
                    "arguments": '{"cmd":"ls"}',
                },
                {"type": "function_call_output", "call_id": "c", "output": "a.py"},
            )
        ),
    )
    assert _told(CODEX.entries(lines)) == [
        ("user", "", "List"),
        ("thought", "", "think"),
        ("tool call", "shell ls", "ls"),
        ("tool result", "shell", "a.py"),
    ]


def test_a_gemini_session() -> None:
    """A message that was written again as it grew is shown once, as it was last."""
    call = {
        "name": "list",
        "args": {"path": "."},
        "result": [{"functionResponse": {"response": {"output": "a.py"}}}],
    }
    answer = {"id": "g1", "type": "gemini", "timestamp": TIME, "content": ""}
    lines = _lines(
        {"id": "u1", "type": "user", "timestamp": TIME, "content": [{"text": "List"}]},
        answer,
        {**answer, "content": "Here", "toolCalls": [call]},
    )
    assert _told(GEMINI.entries(lines)) == [
        ("user", "", "List"),
        ("assistant", "", "Here"),
        ("tool call", "list .", '{\n  "path": "."\n}'),
        ("tool result", "list", "a.py"),
    ]


@pytest.mark.parametrize("reader", [CLAUDE_CODE.entries, CODEX.entries, GEMINI.entries])
@pytest.mark.parametrize(
    "line",
    [
        None,
        42,
        [],
        "text",
        {},
        {"type": "user"},
        {"type": "response_item", "payload": 7},
        {"type": "assistant", "message": {"content": [7, None, {"type": "tool_use"}]}},
        {"id": "x", "toolCalls": [None, {"result": 3}], "thoughts": 5, "content": [None]},
    ],
)
def test_lines_of_any_shape_break_nothing(reader: Any, line: Any) -> None:
    """Tools change their files; what is not understood is left out."""
    list(reader(_lines(line)))


def test_fenced_code_stands_apart() -> None:
    """Also where the fence is never closed."""
    entry = message("assistant", "See:\n```python\nx = 1\n```\nand\n```\nopen", TIME)
    assert entry is not None
    assert entry.blocks == [
        Block("text", "See:"),
        Block("code", "x = 1\n"),
        Block("text", "and"),
        Block("code", "open"),
    ]
    assert message("assistant", "  ", TIME) is None
