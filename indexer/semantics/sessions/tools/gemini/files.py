"""Gemini CLI: `tmp/<project>/chats/session-<time>-<id>.jsonl`, subagents in folders below.

Only a file's first line tells the session; the path alone tells whose subagent it is. Sessions
of before 2026 are one JSON document each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from indexer.semantics.facts import Translation
from indexer.semantics.run_ids import GEMINI, gemini_run_id
from indexer.semantics.sessions.entry import Entry
from indexer.semantics.sessions.line import SessionLine
from indexer.semantics.sessions.tool import (
    FileFacts,
    Neighbours,
    Owner,
    SessionFile,
    Tool,
    folder_after,
)
from indexer.semantics.sessions.tools.gemini.transcript import entries, is_turn
from indexer.semantics.sessions.tools.gemini.translate import translate

_NO_SESSIONS = ("checkpoint", "logs.json")
_KNOWN = frozenset(("user", "gemini", "info", "warning", "error"))
_OTHER_LINES = ("$set", "$rewindTo", "sessionId")


class _File(SessionFile):
    def __init__(self, path: Path, head: Sequence[Mapping[str, Any]]) -> None:
        self._path = path
        root = folder_after(path, "chats")
        session = head[0].get("sessionId") if head else None
        session = session if isinstance(session, str) and session else path.stem
        agent = path.stem if root else None
        self._owner = Owner(gemini_run_id(root or session, agent), root or session, agent)

    def owner(self, line: Mapping[str, Any]) -> Owner:
        del line
        return self._owner

    def time(self, line: Mapping[str, Any]) -> Any:
        changed = line.get("$set")
        updated = changed.get("lastUpdated") if isinstance(changed, dict) else None
        return line.get("timestamp") or line.get("startTime") or line.get("lastUpdated") or updated

    def facts(self, neighbours: Neighbours) -> Optional[FileFacts]:
        del neighbours
        facts = {"project": _project(self._path), "parent_session_id": None}
        if self._owner.agent_id:
            facts["parent_session_id"] = self._owner.session_id
        known = {name: value for name, value in facts.items() if value}
        return FileFacts(self._owner, known) if known else None


def _project(path: Path) -> Optional[str]:
    """Return the folder above the last one called `chats`."""
    parts = path.parts[:-1]
    found = [index for index, part in enumerate(parts) if part == "chats"]
    return parts[found[-1] - 1] if found and found[-1] > 0 else None


class Gemini(Tool):
    """Gemini CLI's sessions."""

    name = GEMINI

    def roots(self, environ: Mapping[str, str], home: Path) -> list[Path]:
        """Return the folder of all projects."""
        named = environ.get("GEMINI_CLI_HOME", "").strip()
        base = Path(named).expanduser() if named else home
        return [base / ".gemini" / "tmp"]

    def is_session(self, path: Path) -> bool:
        """Whether it lies in a folder `chats` or has a session's name, and is no checkpoint."""
        return (
            path.suffix in (".jsonl", ".json")
            and ("chats" in path.parts[-4:-1] or path.name.startswith("session-"))
            and not path.name.startswith(_NO_SESSIONS)
        )

    def knows(self, line: Mapping[str, Any]) -> bool:
        """Whether it is a message of a known type, or what stands between messages."""
        return line.get("type") in _KNOWN or any(name in line for name in _OTHER_LINES)

    def is_document(self, path: Path) -> bool:
        """Whether it is of the older form."""
        return path.suffix == ".json"

    def open(self, path: Path, head: Sequence[Mapping[str, Any]]) -> SessionFile:
        """Return a file of the session that its first line names."""
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


TOOL = Gemini()
