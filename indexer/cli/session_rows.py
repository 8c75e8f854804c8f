"""The rows of `telemetry sessions`: imported sessions with what they did and what they cost.

Called by the command. It only reads.
"""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple, Optional

from indexer.semantics.sessions.tools import tool_names, tool_of_type
from indexer.ui.queries.run.transcript import session_lines


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
    names = ", ".join(f"'{name}'" for name in tool_names())
    runs = connection.execute(
        "SELECT run_id, agent_name AS tool, start_time, end_time, duration_ms,"
        " coalesce(json_extract(context_json, '$.project'), json_extract(context_json, '$.cwd'))"
        " AS project FROM agent_runs"
        f" WHERE agent_name IN ({names}) AND job_type = 'session'"
        " AND (:tool IS NULL OR agent_name = :tool)"
        " AND (:since IS NULL OR end_time >= :since)"
        " AND (:project IS NULL OR instr(project, :project))"
        " ORDER BY start_time DESC, run_id LIMIT :limit",
        {
            "tool": wanted.tool,
            "since": wanted.since,
            "project": wanted.project,
            "limit": wanted.limit or -1,
        },
    ).fetchall()
    return [_with_counts(connection, dict(run)) for run in runs]


def _with_counts(connection: sqlite3.Connection, run: dict[str, Any]) -> dict[str, Any]:
    run_id = run["run_id"]
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
    return {**run, "turns": _turns(connection, run_id), **dict(usage)}


def _turns(connection: sqlite3.Connection, run_id: str) -> int:
    """Count what a person said."""
    return sum(
        tool_of_type(kind).is_turn(line.line) for kind, line in session_lines(connection, run_id)
    )
