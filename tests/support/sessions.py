"""Session files of coding agents, made up: trees of lines in each tool's own form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SESSION, AGENT, THREAD = "5e550000-0000-4000-8000-000000000001", "abc123", "7" * 8 + "-7777-7777"


def stamp(second: int) -> str:
    """A time of day, to the second."""
    return f"2026-08-01T09:{second // 60:02d}:{second % 60:02d}.000Z"


def write(path: Path, lines: list[Any], end: str = "\n") -> Path:
    """Write lines, each an object or bytes as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines]
    path.write_bytes(b"".join(part + end.encode() for part in parts))
    return path


def user(second: int, text: Any = "hi", session: str = SESSION, **more: Any) -> dict[str, Any]:
    """A line of Claude Code: what a person, or a tool, said."""
    return {
        "type": "user",
        "uuid": f"u{second}",
        "sessionId": session,
        "timestamp": stamp(second),
        "isSidechain": False,
        "message": {"role": "user", "content": text},
        **more,
    }


def assistant(
    second: int, message: str, output: int = 10, session: str = SESSION, **more: Any
) -> dict[str, Any]:
    """A line of Claude Code: what the model said."""
    usage = {
        "input_tokens": 5,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "output_tokens": output,
    }
    content = more.pop("content", [{"type": "text", "text": "fine"}])
    return {
        "type": "assistant",
        "uuid": f"a{second}",
        "sessionId": session,
        "timestamp": stamp(second),
        "isSidechain": False,
        "requestId": f"req_{message}",
        "message": {
            "id": message,
            "role": "assistant",
            "model": "claude-sonnet-4-5",
            "content": content,
            "usage": usage,
        },
        **more,
    }


def claude_tree(home: Path) -> Path:
    """A session with a streamed call, a tool, a subagent and its sidecar."""
    project = home / ".claude" / "projects" / "-home-user-app"
    tool = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a.py"}
    write(
        project / f"{SESSION}.jsonl",
        [
            {"type": "summary", "summary": "Of an earlier one", "leafUuid": "x"},
            {"type": "file-history-snapshot", "messageId": "m", "snapshot": {}},
            user(1),
            assistant(2, "msg_1", 5),
            assistant(2, "msg_1", 631, content=[tool]),
            user(3, [result]),
            {"type": "a-type-of-2027", "sessionId": SESSION, "usage": {"x": 1}},
            assistant(4, "msg_2"),
        ],
    )
    side = {"isSidechain": True, "agentId": AGENT}
    agent = project / SESSION / "subagents" / f"agent-{AGENT}.jsonl"
    write(agent, [user(5, **side), assistant(6, "msg_3", **side)])
    agent.with_name(f"agent-{AGENT}.meta.json").write_text(
        json.dumps({"agentType": "Explore", "toolUseId": "toolu_1"})
    )
    write(project.parent.parent / "history.jsonl", [{"display": "no session"}])
    write(project / SESSION / "tool-results" / "x.jsonl", [{"no": "session"}])
    return home


def codex_line(second: int, kind: str, **payload: Any) -> dict[str, Any]:
    """A line of Codex."""
    return {"timestamp": stamp(second), "type": kind, "payload": payload}


def codex_lines(thread: str = THREAD) -> list[Any]:
    """A thread of one call and one tool."""
    usage = {
        "input_tokens": 3000,
        "cached_input_tokens": 2000,
        "output_tokens": 50,
        "reasoning_output_tokens": 20,
        "total_tokens": 3050,
    }
    info = {"last_token_usage": usage, "total_token_usage": usage}
    return [
        codex_line(0, "session_meta", id=thread, cwd="/app", source="cli"),
        codex_line(1, "turn_context", turn_id="t1", model="gpt-5-codex"),
        codex_line(
            2,
            "response_item",
            type="function_call",
            name="shell",
            call_id="c1",
            arguments='{"command":["ls"]}',
        ),
        codex_line(3, "response_item", type="function_call_output", call_id="c1", output="a.py"),
        codex_line(4, "event_msg", type="token_count", info=info),
        codex_line(5, "event_msg", type="token_count", info=info),
    ]


def codex_path(home: Path, thread: str = THREAD) -> Path:
    """Where Codex keeps that thread."""
    return home / ".codex/sessions/2026/08/01" / f"rollout-2026-08-01T09-00-00-{thread}.jsonl"


def gemini_lines(session: str = "9e9e0000") -> list[Any]:
    """A session whose one message is written twice, and rewound."""
    tokens = {"input": 1500, "output": 40, "cached": 1000, "thoughts": 60, "tool": 0, "total": 1600}
    message = {
        "id": "g1",
        "timestamp": stamp(3),
        "type": "gemini",
        "content": "",
        "model": "gemini-3-pro",
    }
    return [
        {"sessionId": session, "projectHash": "p", "startTime": stamp(0), "kind": "main"},
        {"id": "u1", "timestamp": stamp(1), "type": "user", "content": "hi"},
        {**message, "tokens": None},
        {**message, "tokens": tokens},
        {"$rewindTo": "u1"},
        {"$set": {"lastUpdated": stamp(9)}},
    ]


def gemini_tree(home: Path) -> Path:
    """A session, a subagent of it, and one of the older form."""
    chats = home / ".gemini" / "tmp" / "my-app" / "chats"
    write(chats / "session-2026-08-01T09-00-9e9e0000.jsonl", gemini_lines())
    write(chats / "9e9e0000" / "helper-1.jsonl", gemini_lines("s2"))
    old = {"sessionId": "old-1", "startTime": stamp(0), "messages": gemini_lines()[3:4]}
    chats.joinpath("session-2025-01-01T00-00-old.json").write_text(json.dumps(old, indent=2))
    write(chats.parent / "logs.json", [{"no": "session"}])
    return home


def trap_tree(home: Path) -> dict[str, tuple[int, int, int, int]]:
    """Sessions as they are known to mislead readers; return input, reads, writes, output of each.

    A run that repeats what another made has only what is new in it.
    """
    projects = home / ".claude" / "projects" / "-home-user-app"
    old = [user(1), assistant(2, "m1", 5), assistant(3, "m1", 90), user(4), assistant(5, "m2", 40)]
    write(projects / f"{SESSION}.jsonl", [*old, *old[:2]])
    # Resumed by an old client: the old lines under a new name, with the session's id rewritten.
    write(
        projects / "resumed.jsonl",
        [*_renamed(old, "resumed"), assistant(20, "m3", 7, session="resumed")],
    )
    # Handed to the background: the same lines, marked.
    write(
        projects / "moved.jsonl",
        [*_renamed(old, "moved", sessionKind="bg"), assistant(30, "m4", 8, session="moved")],
    )
    # Forked by the SDK: lines that say where they come from.
    origin = {"forkedFrom": {"sessionId": SESSION, "messageUuid": "u1"}}
    write(
        projects / "forked.jsonl",
        [*_renamed(old, "forked", **origin), assistant(40, "m5", 9, session="forked")],
    )
    # An aside replays the parent's call under another request id; only its answer is new.
    side = {"isSidechain": True, "agentId": "aside"}
    again = assistant(5, "m2", 40, requestId="other", **side)
    write(
        projects / SESSION / "subagents" / "agent-aside.jsonl",
        [again, assistant(6, "m6", 3, **side)],
    )
    _nested_agents(projects / SESSION / "subagents")
    # The same session below another project: a worktree.
    write(projects.parent / "-home-user-other" / f"{SESSION}.jsonl", old)
    fork = "88888888-8888-4888-8888-888888888888"
    write(codex_path(home), codex_lines())
    copied = [
        codex_line(60, "session_meta", id=fork, forked_from_id=THREAD, source="cli"),
        *codex_lines(),
    ]
    write(codex_path(home, fork), copied)
    gemini_tree(home)
    each = (5, 100, 20)
    return {
        f"claude-code-{SESSION}": (10, 200, 40, 130),
        "claude-code-resumed": (*each, 7),
        "claude-code-moved": (*each, 8),
        "claude-code-forked": (*each, 9),
        f"claude-code-{SESSION}-agent-aside": (*each, 3),
        f"claude-code-{SESSION}-agent-outer": (*each, 11),
        f"claude-code-{SESSION}-agent-inner": (*each, 12),
        f"codex-{THREAD}": (1000, 2000, 0, 50),
        "gemini-9e9e0000": (500, 1000, 0, 100),
        "gemini-9e9e0000-agent-helper-1": (500, 1000, 0, 100),
        "gemini-old-1": (500, 1000, 0, 100),
    }


def _nested_agents(folder: Path) -> None:
    """An agent called by another one, both of whose files lie in the session's folder."""
    call = [{"type": "tool_use", "id": "toolu_inner", "name": "Task", "input": {}}]
    outer = {"isSidechain": True, "agentId": "outer"}
    calling = assistant(7, "m7", 11, content=call, **outer)
    write(folder / "agent-outer.jsonl", [calling])
    inner = {"isSidechain": True, "agentId": "inner"}
    path = write(folder / "agent-inner.jsonl", [assistant(8, "m8", 12, **inner)])
    path.with_name("agent-inner.meta.json").write_text(json.dumps({"toolUseId": "toolu_inner"}))
    # The session's own file echoes what its agents say.
    echo = {**user(7), "type": "progress", "data": {"type": "agent_progress", "message": calling}}
    with open(folder.parent.with_name(f"{SESSION}.jsonl"), "ab") as session:
        session.write(json.dumps(echo).encode() + b"\n")


def _renamed(lines: list[Any], session: str, **more: Any) -> list[Any]:
    return [{**line, "sessionId": session, **more} for line in lines]
