"""Queries to begin with, on the page of queries.

They are shown as they are: people change them and keep their own.
"""

from __future__ import annotations

_FAILURES = """SELECT start_time, agent_name, error_summary, run_id
FROM failed_runs
WHERE start_time > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 day')
LIMIT 200"""
_AGENTS = """SELECT agent_name, runs, failed, success_rate, p50_duration_ms, p95_duration_ms
FROM runs_by_agent
ORDER BY runs DESC"""
_DAYS = """SELECT day, runs, failed
FROM runs_by_day
ORDER BY day DESC
LIMIT 30"""
_EVENTS = """SELECT event_type, count(*) AS events
FROM run_events
GROUP BY event_type
ORDER BY events DESC
LIMIT 50"""

SAVED = {
    "Failures of the last day": _FAILURES,
    "Runs by agent": _AGENTS,
    "Runs by day": _DAYS,
    "Stale runs": "SELECT * FROM stale_runs LIMIT 200",
    "Types of events": _EVENTS,
}

FLEET_SAVED = {
    **SAVED,
    "Failures of the last day": _FAILURES.replace(
        "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 day')",
        "formatDateTime(now('UTC') - INTERVAL 1 DAY, '%Y-%m-%dT%H:%i:%S')",
    ),
    "Hosts that ship": "SELECT host, node, shipped_at, waiting_bytes FROM node_rows FINAL"
    " ORDER BY shipped_at DESC",
}
"""The same in the words of a fleet's centre, and what only it has."""
