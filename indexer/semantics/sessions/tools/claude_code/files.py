"""Claude Code: `projects/<working directory>/<session>.jsonl`, subagents in folders below.

The line says which run it belongs to, not its file: a resumed session begins with the lines of
another one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from indexer.semantics.facts import Translation
from indexer.semantics.run_ids import CLAUDE_CODE, claude_code_run_id, session_run_id
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
from indexer.semantics.sessions.tools.claude_code.transcript import entries, is_turn
from indexer.semantics.sessions.tools.claude_code.translate import translate
from indexer.semantics.values import mapping, sequence

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
_AGENT, _SUBAGENTS = "agent-", "subagents"


class _File(SessionFile):
    def __init__(self, path: Path) -> None:
        self._path = path

    def owner(self, line: Mapping[str, Any]) -> Owner:
        session = line.get("sessionId")
        if not isinstance(session, str) or not session:
            return Owner(claude_code_run_id({}))
        return Owner(claude_code_run_id(line), session, _agent_of(line))

    def time(self, line: Mapping[str, Any]) -> Any:
        return line.get("timestamp")

    def facts(self, neighbours: Neighbours) -> Optional[FileFacts]:
        agent = self._agent()
        session = self._session() if agent else self._path.stem
        project = folder_after(self._path, "projects")
        if not session or (project is None and not agent):
            return None
        sidecar = neighbours.object(_sidecar(self._path)) if agent else {}
        facts = {
            "project": project,
            "parent_session_id": session if agent else None,
            "parent_agent_id": self._caller(agent, sidecar, neighbours) if agent else None,
            "sidecar": sidecar,
        }
        owner = Owner(session_run_id(CLAUDE_CODE, session, agent), session, agent)
        return FileFacts(owner, {name: value for name, value in facts.items() if value})

    def _caller(
        self, agent: str, sidecar: Mapping[str, Any], neighbours: Neighbours
    ) -> Optional[str]:
        """Return which subagent made the call that the sidecar names; None if the session did."""
        call, folder = sidecar.get("toolUseId"), self._folder()
        if not isinstance(call, str) or not call or folder is None:
            return None
        # The session first: an aside's file repeats its calls.
        own = folder.with_name(f"{folder.name}.jsonl")
        for path in (own, *neighbours.files(folder / _SUBAGENTS, f"{_AGENT}*.jsonl")):
            for line in neighbours.lines_with(path, call):
                if _has_call(line, call) and _agent_of(line) != agent:
                    return _agent_of(line)
        return None

    def _agent(self) -> Optional[str]:
        name = self._path.stem
        return name[len(_AGENT) :] if name.startswith(_AGENT) else None

    def _session(self) -> Optional[str]:
        folder = self._folder()
        return None if folder is None else folder.name

    def _folder(self) -> Optional[Path]:
        """The folder of the session that a subagent's file belongs to."""
        below = [one for one in self._path.parents if one.name == _SUBAGENTS]
        return below[0].parent if below and below[0].parent.name else None


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name.partition(".")[0] + ".meta.json")


def _agent_of(line: Mapping[str, Any]) -> Optional[str]:
    agent = line.get("agentId") if line.get("isSidechain") is True else None
    return agent if isinstance(agent, str) else None


def _has_call(line: Mapping[str, Any], call: str) -> bool:
    blocks = sequence(mapping(line.get("message")).get("content"))
    return any(
        mapping(one).get("type") == "tool_use" and mapping(one).get("id") == call for one in blocks
    )


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

    def sidecar(self, path: str) -> Optional[str]:
        """Return the sidecar of a subagent's file."""
        return str(_sidecar(Path(path))) if os.path.basename(path).startswith(_AGENT) else None

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

    def translate(self, lines: list[SessionLine]) -> Translation:
        """Return the spans of one run, and what its lines say of the run."""
        return translate(lines)

    def entries(self, lines: list[SessionLine]) -> Iterator[Optional[Entry]]:
        """Yield what was said and done, for the transcript."""
        return entries(lines)

    def is_turn(self, line: Mapping[str, Any]) -> bool:
        """Whether a line is what a person said."""
        return is_turn(line)


TOOL = ClaudeCode()
