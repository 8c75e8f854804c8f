"""Session lines for tests, written here after what the tools write."""

from __future__ import annotations

import hashlib
from typing import Any, Optional

import orjson

from indexer.semantics.facts import SpanFacts
from indexer.semantics.translate import Translated, translate
from telemetry_core.event import Event


def event(tool: str, run_id: str, data: dict[str, Any]) -> Event:
    """The event of a line; its id is made of what it says, as an importer makes it."""
    digest = hashlib.sha256(orjson.dumps([tool, run_id, data.get("line", data)])).hexdigest()
    return Event(digest, "import", f"session.{tool}", run_id, "2026-11-26T00:00:00.000000Z", data)


def events(
    tool: str, run_id: str, session_id: str, lines: list[Any], agent_id: Optional[str] = None
) -> list[Event]:
    """The events of a file's lines."""
    agent = {} if agent_id is None else {"agent_id": agent_id}
    return [
        event(
            tool,
            run_id,
            {"position": f"{n:010d}", "session_id": session_id, **agent, "line": line},
        )
        for n, line in enumerate(lines)
    ]


def translated(tool: str, lines: list[Any], session_id: str = "s", **more: Any) -> Translated:
    """What a session of these lines comes to; each line once, whatever repeats."""
    made = events(tool, f"{tool}-{session_id}", session_id, lines, **more)
    return translate({one.id: one for one in reversed(made)}.values())


def of_kind(found: Translated, kind: str) -> list[SpanFacts]:
    """The spans of one kind, by id."""
    return [one for one in found.spans if one.kind == kind]


def assistant(
    message_id: str, second: int, *, content: Any = (), usage: Any = None, **line: Any
) -> dict[str, Any]:
    """A line of Claude Code with one block of a model's message."""
    message: dict[str, Any] = {
        "id": message_id,
        "role": "assistant",
        "model": "claude-opus-4-7",
        "content": list(content),
    }
    if usage is not None:
        message["usage"] = usage
    return {
        "type": "assistant",
        "uuid": f"u-{message_id}-{second}",
        "sessionId": "s",
        "timestamp": f"2026-08-01T09:00:{second:02d}.000Z",
        "message": message,
        **line,
    }


def tool_result(tool_use: str, second: int, **block: Any) -> dict[str, Any]:
    """A line of Claude Code with the result of a tool call."""
    content = [{"type": "tool_result", "tool_use_id": tool_use, **block}]
    return {
        "type": "user",
        "uuid": f"r-{tool_use}-{second}",
        "sessionId": "s",
        "timestamp": f"2026-08-01T09:00:{second:02d}.000Z",
        "message": {"role": "user", "content": content},
    }


def codex(second: int, kind: str, **payload: Any) -> dict[str, Any]:
    """A line of Codex."""
    return {
        "timestamp": f"2026-08-20T10:00:{second:02d}.000Z",
        "type": kind,
        "payload": payload,
    }


def token_count(second: int, total: dict[str, int], last: Optional[dict[str, int]]) -> Any:
    """A line of Codex with the sums so far."""
    info: dict[str, Any] = {"total_token_usage": total}
    if last is not None:
        info["last_token_usage"] = last
    return codex(second, "event_msg", type="token_count", info=info)


def codex_tokens(read: int, cached: int, written: int, reasoning: int = 0) -> dict[str, int]:
    """Usage as Codex writes it: input with what was cached, output with reasoning."""
    return {
        "input_tokens": read,
        "cached_input_tokens": cached,
        "output_tokens": written,
        "reasoning_output_tokens": reasoning,
        "total_tokens": read + written,
    }
