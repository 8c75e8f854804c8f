"""Find out which run a record belongs to, by the record alone.

Called by receivers and importers, which write the id as the event's subject. A record must not
be assigned by its neighbours: they may come later, from another request, or never.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from indexer.semantics.otel.record import Record, read_record
from indexer.semantics.values import text

UNASSIGNED = "telemetry.unassigned"
"""The subject of records that belong to no run."""

CLAUDE_CODE, CODEX, GEMINI = "claude-code", "codex", "gemini"


def claude_code_run_id(line: Mapping[str, Any]) -> str:
    """Return the run of one line of a Claude Code session; by the line, not by its file."""
    session = text(line.get("sessionId"))
    if session is None:
        return UNASSIGNED
    agent = text(line.get("agentId")) if line.get("isSidechain") is True else None
    return session_run_id(CLAUDE_CODE, session, agent)


def codex_run_id(thread_id: str) -> str:
    """Return the run of a Codex thread: the id of the first session_meta of its file."""
    return session_run_id(CODEX, thread_id)


def gemini_run_id(session_id: str, agent_id: Optional[str] = None) -> str:
    """Return the run of a Gemini session; of a subagent with its root's session."""
    return session_run_id(GEMINI, session_id, agent_id)


def session_run_id(tool: str, session_id: str, agent_id: Optional[str] = None) -> str:
    """Return the run id of a tool's session, or of one of its subagents."""
    return f"{tool}-{session_id}" + (f"-agent-{agent_id}" if agent_id else "")


def run_of_span(data: Mapping[str, Any]) -> str:
    """Return the run of an `otel.span`."""
    record = read_record(data)
    return session_of(record) or _trace_run(record)


def run_of_log(data: Mapping[str, Any]) -> str:
    """Return the run of an `otel.log`: its session's, its trace's, or `UNASSIGNED`."""
    return run_of_span(data)


def tool_of(record: Record) -> Optional[str]:
    """Return which coding agent wrote a record: claude-code, codex, gemini, or None."""
    service = text(record.resource.get("service.name")) or ""
    if service == "claude-code" or record.scope.startswith("com.anthropic.claude_code"):
        return CLAUDE_CODE
    if service == "gemini-cli":
        return GEMINI
    name = text(record.attributes.get("event.name")) or ""
    if name.startswith("codex.") or is_codex_service(service):
        return CODEX
    return None


def is_codex_service(service: str) -> bool:
    """Whether a service is Codex: codex_exec, codex_cli_rs, codex-cli, ..."""
    return service == "codex" or service.startswith(("codex_", "codex-"))


def session_of(record: Record) -> Optional[str]:
    """Return the run of the coding agent's session that a record names itself, or None."""
    tool = tool_of(record)
    if tool is None or (tool == CODEX and record.is_span):
        return None
    names = {
        CLAUDE_CODE: ("session.id",),
        CODEX: ("conversation.id",),
        GEMINI: ("session.id", "gen_ai.conversation.id"),
    }[tool]
    found = (text(record.attributes.get(name)) for name in names)
    session = next((one for one in found if one), None)
    return None if session is None else session_run_id(tool, session)


def _trace_run(record: Record) -> str:
    return f"trace-{record.trace_id}" if record.trace_id else UNASSIGNED
