"""The rows of `telemetry sessions`: imported sessions with what they did and what they cost.

Called by the command. It only reads.
"""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple, Optional

from indexer.semantics.run_ids import CLAUDE_CODE, CODEX, GEMINI

# What a person said, as each tool writes it; the rest are answers, and results of tools.
_IS_TURN = """CASE type
    WHEN 'session.claude-code' THEN
        json_extract(payload_json, '$.line.type') = 'user'
        AND coalesce(json_extract(payload_json, '$.line.isMeta'), 0) = 0
        AND (json_type(payload_json, '$.line.message.content') = 'text'
             OR json_extract(payload_json, '$.line.message.content[0].type') = 'text')
    WHEN 'session.codex' THEN
        json_extract(payload_json, '$.line.payload.type') = 'user_message'
    ELSE json_extract(payload_json, '$.line.type') = 'user' END"""


class SessionFilter(NamedTuple):
    """Which sessions."""

    tool: Optional[str] = None
    project: Optional[str] = None
    since: Optional[str] = None
    limit: int = 20


def session_rows(connection: sqlite3.Connection, wanted: SessionFilter) -> list[dict[str, Any]]:
    """Return sessions, the latest first, each with its subagents' share of usage included.

    A subagent is a run of its own and no row here.
    """
    runs = connection.execute(
        "SELECT run_id, agent_name AS tool, start_time, end_time, duration_ms,"
        " coalesce(json_extract(context_json, '$.project'), json_extract(context_json, '$.cwd'))"
        " AS project FROM agent_runs"
        " WHERE agent_name IN (:claude, :codex, :gemini) AND job_type = 'session'"
        " AND (:tool IS NULL OR agent_name = :tool)"
        " AND (:since IS NULL OR end_time >= :since)"
        " AND (:project IS NULL OR instr(project, :project))"
        " ORDER BY start_time DESC, run_id LIMIT :limit",
        {
            "claude": CLAUDE_CODE,
            "codex": CODEX,
            "gemini": GEMINI,
            "tool": wanted.tool,
            "since": wanted.since,
            "project": wanted.project,
            "limit": wanted.limit or -1,
        },
    ).fetchall()
    return [_with_counts(connection, dict(run)) for run in runs]


def _with_counts(connection: sqlite3.Connection, run: dict[str, Any]) -> dict[str, Any]:
    run_id = run["run_id"]
    (turns,) = connection.execute(
        f"SELECT sum({_IS_TURN}) FROM run_events WHERE run_id = ? AND type LIKE 'session.%'",
        (run_id,),
    ).fetchone()
    usage = connection.execute(
        "WITH RECURSIVE below (run_id) AS ("
        " SELECT :run UNION SELECT child.run_id FROM agent_runs AS child JOIN below"
        "  ON child.parent_run_id = below.run_id"
        ") SELECT sum(counted) AS calls, sum(kind = 'tool' AND is_owner) AS tools,"
        " sum(CASE WHEN counted THEN input_tokens END) AS input_tokens,"
        " sum(CASE WHEN counted THEN cache_read_tokens END) AS cache_read_tokens,"
        " sum(CASE WHEN counted THEN cache_write_tokens END) AS cache_write_tokens,"
        " sum(CASE WHEN counted THEN output_tokens END) AS output_tokens,"
        " sum(CASE WHEN counted THEN coalesce(cost_reported_usd, cost_estimated_usd) END)"
        " AS cost_usd,"
        " group_concat(DISTINCT CASE WHEN counted THEN model END) AS models"
        " FROM run_spans WHERE run_id IN (SELECT run_id FROM below)",
        {"run": run_id},
    ).fetchone()
    return {**run, "turns": turns or 0, **dict(usage)}
