"""Claude Code: `projects/<working directory>/<session>.jsonl`, subagents in folders below.

The line says which run it belongs to, not its file: a resumed session begins with the lines of
another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import orjson

from indexer.importers.tool import FileFacts, Owner, SessionFile, Tool, folder_after
from indexer.semantics.run_ids import CLAUDE_CODE, claude_code_run_id, session_run_id

_NO_SESSIONS = frozenset(("history.jsonl", "journal.jsonl"))
_NO_SESSION_FOLDERS = frozenset(("tool-results", "file-history", "plugins", "todos"))
# Of other agents: where all are imported from one place, a file is one agent's.
_FOREIGN_NAMES, _FOREIGN_FOLDER = ("rollout-", "session-"), "chats"
_KNOWN = frozenset(
    (
        "user",
        "assistant",
        "system",
        "attachment",
        "progress",
        "summary",
        "ai-title",
        "custom-title",
        "tag",
        "queue-operation",
        "file-history-snapshot",
        "content-replacement",
        "mode",
        "last-prompt",
        "permission-mode",
        "agent-name",
        "pr-link",
    )
)
_AGENT = "agent-"
_MOST_SIDECAR_BYTES = 1024 * 1024


class _File(SessionFile):
    def __init__(self, path: Path) -> None:
        self._path = path

    def owner(self, line: Mapping[str, Any]) -> Owner:
        session = line.get("sessionId")
        if not isinstance(session, str) or not session:
            return Owner(claude_code_run_id({}))
        agent = line.get("agentId") if line.get("isSidechain") is True else None
        return Owner(claude_code_run_id(line), session, agent if isinstance(agent, str) else None)

    def time(self, line: Mapping[str, Any]) -> Any:
        return line.get("timestamp")

    def facts(self) -> Optional[FileFacts]:
        agent = self._agent()
        session = self._session() if agent else self._path.stem
        project = folder_after(self._path, "projects")
        if not session or (project is None and not agent):
            return None
        facts = {
            "project": project,
            "parent_session_id": session if agent else None,
            "sidecar": _sidecar(self._path) if agent else None,
        }
        owner = Owner(session_run_id(CLAUDE_CODE, session, agent), session, agent)
        return FileFacts(owner, {name: value for name, value in facts.items() if value})

    def _agent(self) -> Optional[str]:
        name = self._path.stem
        return name[len(_AGENT) :] if name.startswith(_AGENT) else None

    def _session(self) -> Optional[str]:
        """The session in whose folder a subagent's file lies."""
        parts = self._path.parts
        below = [index for index, part in enumerate(parts) if part == "subagents"]
        return parts[below[-1] - 1] if below and below[-1] > 0 else None


def _sidecar(path: Path) -> Any:
    """Return a subagent's sidecar, None if it is not a JSON object."""
    try:
        with open(path.with_name(path.stem + ".meta.json"), "rb") as file:
            sidecar = orjson.loads(file.read(_MOST_SIDECAR_BYTES))
    except (OSError, orjson.JSONDecodeError):
        return None
    return sidecar if isinstance(sidecar, dict) else None


class ClaudeCode(Tool):
    """Claude Code's sessions."""

    name = CLAUDE_CODE

    def roots(self, environ: Mapping[str, str], home: Path) -> list[Path]:
        """Return the `projects` folders of its directories."""
        named = [name for name in environ.get("CLAUDE_CONFIG_DIR", "").split(",") if name.strip()]
        bases = [Path(name.strip()) for name in named] or [home / ".claude"]
        return [base.expanduser() / "projects" for base in (*bases, home / ".config" / "claude")]

    def is_session(self, path: Path) -> bool:
        """Whether it is a `.jsonl` that is no history and no tool's result."""
        return (
            path.suffix == ".jsonl"
            and path.name not in _NO_SESSIONS
            and not path.name.startswith(_FOREIGN_NAMES)
            and not {*_NO_SESSION_FOLDERS, _FOREIGN_FOLDER} & set(path.parts[-4:-1])
        )

    def knows(self, line: Mapping[str, Any]) -> bool:
        """Whether it is of a known type, and an answer of the model has its id and its usage."""
        message = line.get("message")
        if line.get("type") == "assistant":
            return isinstance(message, Mapping) and {"id", "usage"} <= message.keys()
        return line.get("type") in _KNOWN

    def open(self, path: Path, head: Sequence[Mapping[str, Any]]) -> SessionFile:
        """Return a file; nothing need be known of its lines."""
        del head
        return _File(path)


TOOL = ClaudeCode()
