"""Replace the texts of a session by their sizes, for users who keep none.

Called by the envelope, with `--content none`. Pure. Ids, names, times, usage and flags stay, so
that runs, spans and their cost are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEPT = frozenset(
    (
        "type",
        "id",
        "uuid",
        "parentUuid",
        "logicalParentUuid",
        "sessionId",
        "session_id",
        "timestamp",
        "role",
        "model",
        "name",
        "tool_use_id",
        "requestId",
        "request_id",
        "call_id",
        "callId",
        "response_id",
        "turn_id",
        "thread_id",
        "rollout_id",
        "agentId",
        "agent_id",
        "parentAgentId",
        "parent_agent_id",
        "parent_session_id",
        "project",
        "agentType",
        "parent_thread_id",
        "forked_from_id",
        "status",
        "subtype",
        "stop_reason",
        "version",
        "cli_version",
        "cwd",
        "gitBranch",
        "branch",
        "commit_hash",
        "entrypoint",
        "userType",
        "kind",
        "sessionKind",
        "level",
        "originator",
        "model_provider",
        "history_mode",
        "thread_source",
        "effort",
        "service_tier",
        "agent_nickname",
        "agent_role",
        "projectHash",
        "startTime",
        "lastUpdated",
        "stopReason",
        "finish_reason",
        "namespace",
        "sourceToolAssistantUUID",
        "toolUseID",
        "toolUseId",
        "parentToolUseID",
        "promptId",
        "messageId",
        "messageUuid",
        "leafUuid",
    )
)
"""Names whose texts say what happened, not what was said."""
_OPAQUE = frozenset(("input", "args", "arguments", "output", "result", "toolUseResult", "response"))
"""Names below which anything is a text of somebody's, whatever it is called."""
_KEPT_BELOW = frozenset(("agentId", "agent_id", "is_error"))
_MOST_LEVELS = 200


def without_content(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line with its texts replaced by `[N characters]`."""
    return {name: _value(name, value, is_opaque=False, level=0) for name, value in line.items()}


def _value(name: str, value: Any, *, is_opaque: bool, level: int) -> Any:
    if isinstance(value, str):
        is_kept = name in (_KEPT_BELOW if is_opaque else _KEPT)
        return value if is_kept else f"[{len(value)} characters]"
    if level > _MOST_LEVELS:
        return "[nested too deep]"
    is_opaque = is_opaque or name in _OPAQUE
    if isinstance(value, dict):
        return {
            key: _value(key, inner, is_opaque=is_opaque, level=level + 1)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_value(name, inner, is_opaque=is_opaque, level=level + 1) for inner in value]
    return value
