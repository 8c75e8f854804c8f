"""Codex: `sessions/YYYY/MM/DD/rollout-<time>-<thread>.jsonl`, moved to `archived_sessions/` later.

A file is one thread's, or a later part of one; its first session_meta says whose. Others in the
same file are copies of ancestors' lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from indexer.semantics.facts import Translation
from indexer.semantics.run_ids import CODEX, codex_run_id
from indexer.semantics.sessions.entry import Entry
from indexer.semantics.sessions.line import SessionLine
from indexer.semantics.sessions.tool import EPOCH, Owner, SessionFile, Tool
from indexer.semantics.sessions.tools.codex.transcript import entries, is_turn
from indexer.semantics.sessions.tools.codex.translate import translate

_NAME = re.compile(
    r"rollout-(?P<day>\d{4}-\d\d-\d\d)T(?P<hour>\d\d)-(?P<minute>\d\d)-(?P<second>\d\d)"
    r"-(?P<thread>.+?)(?:_(?P<part>[^_]+))?",
    re.ASCII,
)
_THREAD_LENGTH = 36
_KNOWN = frozenset(
    (
        "session_meta",
        "turn_context",
        "response_item",
        "event_msg",
        "compacted",
        "token_usage_record",
        "inter_agent_communication",
        "inter_agent_communication_metadata",
    )
)
_KNOWN_BARE = frozenset(("message", "reasoning", "function_call", "function_call_output"))


class _File(SessionFile):
    def __init__(self, path: Path, head: Sequence[Mapping[str, Any]]) -> None:
        name = _NAME.fullmatch(path.stem)
        self._owner = _owner(path.stem, name, head)
        if name is not None:
            day, hour, minute, second = name.group("day", "hour", "minute", "second")
            self.part = f"{day}T{hour}-{minute}-{second}" + (
                f"_{name['part']}" if name["part"] else ""
            )
            self.fallback_time = f"{day}T{hour}:{minute}:{second}.000000Z"
        else:
            self.fallback_time = EPOCH

    def owner(self, line: Mapping[str, Any]) -> Owner:
        del line
        return self._owner

    def time(self, line: Mapping[str, Any]) -> Any:
        return line.get("timestamp")


def _owner(stem: str, name: Optional[re.Match[str]], head: Sequence[Mapping[str, Any]]) -> Owner:
    """Return the thread of the first session_meta, else of the file's name."""
    for line in head:
        if line.get("type") == "session_meta":
            payload = line.get("payload")
            thread = payload.get("id") if isinstance(payload, dict) else None
            if isinstance(thread, str) and thread:
                return Owner(codex_run_id(thread), thread)
            break
    thread = name["thread"][-_THREAD_LENGTH:] if name is not None else stem
    return Owner(codex_run_id(thread), thread)


class Codex(Tool):
    """Codex's sessions."""

    name = CODEX

    def roots(self, environ: Mapping[str, str], home: Path) -> list[Path]:
        """Return the folders of present and of archived sessions."""
        named = environ.get("CODEX_HOME", "").strip()
        base = Path(named).expanduser() if named else home / ".codex"
        return [base / "sessions", base / "archived_sessions"]

    def is_session(self, path: Path) -> bool:
        """Whether it is called a rollout."""
        return path.suffix == ".jsonl" and path.name.startswith("rollout-")

    def knows(self, line: Mapping[str, Any]) -> bool:
        """Whether it is of a known type, or of the earliest form, which has none around it."""
        kind = line.get("type")
        if kind in _KNOWN:
            return isinstance(line.get("payload"), Mapping)
        return kind in _KNOWN_BARE or "record_type" in line or {"id", "timestamp"} <= line.keys()

    def open(self, path: Path, head: Sequence[Mapping[str, Any]]) -> SessionFile:
        """Return a file of the thread that its first session_meta names."""
        return _File(path, head)

    def translate(self, lines: list[SessionLine]) -> Translation:
        """Return the spans of one run, and what its lines say of the run."""
        return translate(lines)

    def entries(self, lines: list[SessionLine]) -> Iterator[Optional[Entry]]:
        """Yield what was said and done, for the transcript."""
        return entries(lines)

    def is_turn(self, line: Mapping[str, Any]) -> bool:
        """Whether a line is what a person said."""
        return is_turn(line)


TOOL = Codex()
