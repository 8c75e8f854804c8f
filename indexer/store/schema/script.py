"""Put the whole schema together as one SQL script: tables, indexes and views, in order.

Used by whatever creates a database, and by the docs.
"""

from __future__ import annotations

from indexer.store.schema.spans import SPAN_INDEXES, SPAN_TABLES, SPAN_VIEWS
from indexer.store.schema.tables import (
    AGENT_RUNS,
    EVENTS_BY_TYPE,
    FORWARD_TARGETS,
    GONE_PROCESSES,
    INDEXER_STATUS,
    LOG_FILES,
    OUTBOX,
    QUARANTINE,
    RUN_EVENTS,
    SETTINGS,
)
from indexer.store.schema.views import (
    FAILED_RUNS,
    RUN_TREE,
    RUNS_BY_AGENT,
    RUNS_BY_DAY,
    STALE_RUNS,
)
from telemetry_core.run_fields import SCHEMA_VERSION

APPLICATION_ID = 0x7E1E3E7A
"""Marks the file as ours in SQLite's header."""

# The last column, so that what is not due yet is passed over without being read.
OUTBOX_IN_ORDER = (
    "CREATE INDEX outbox_in_order ON outbox (target, changed_at, run_id, next_attempt_at)"
)
OUTBOX_OF_RUN = "CREATE INDEX outbox_of_run ON outbox (run_id)"
# Alerts that agents raised are asked for by time, receipts by run.
RAISED_ALERTS = "CREATE INDEX raised_alerts ON events_by_type (timestamp) WHERE type = 'run.alert'"

RUNS_BY_START = "CREATE INDEX agent_runs_by_start ON agent_runs (start_time)"
# Few runs have a parent, so it costs next to nothing.
CHILD_RUNS = (
    "CREATE INDEX agent_runs_by_parent ON agent_runs (parent_run_id)"
    " WHERE parent_run_id IS NOT NULL"
)
# Not by what changes with each event: the index would have to be changed as well.
RUNNING_RUNS = "CREATE INDEX agent_runs_running ON agent_runs (status) WHERE status = 'running'"

TABLES = {
    "agent_runs": AGENT_RUNS,
    "run_events": RUN_EVENTS,
    "events_by_type": EVENTS_BY_TYPE,
    "log_files": LOG_FILES,
    "quarantine": QUARANTINE,
    **SPAN_TABLES,
}
"""The tables that are a function of the log: a rebuild gives the same rows."""

INDEXER_TABLES = {
    "indexer_status": INDEXER_STATUS,
    "gone_processes": GONE_PROCESSES,
    "settings": SETTINGS,
    "outbox": OUTBOX,
    "forward_targets": FORWARD_TARGETS,
}
"""The indexer's own tables: what it knows of itself and of this host."""

VIEWS = {
    "runs_by_agent": RUNS_BY_AGENT,
    "runs_by_day": RUNS_BY_DAY,
    "failed_runs": FAILED_RUNS,
    "stale_runs": STALE_RUNS,
    "run_tree": RUN_TREE,
    **SPAN_VIEWS,
}
"""The views that people query."""


def schema_sql() -> str:
    """Return the whole schema as one SQL script."""
    return ";\n\n".join(schema_statements()) + ";\n"


def schema_statements() -> list[str]:
    """Return the statements that create the schema, in order."""
    return [
        *TABLES.values(),
        *INDEXER_TABLES.values(),
        RUNS_BY_START,
        RUNNING_RUNS,
        CHILD_RUNS,
        OUTBOX_IN_ORDER,
        OUTBOX_OF_RUN,
        RAISED_ALERTS,
        *SPAN_INDEXES,
        *VIEWS.values(),
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {SCHEMA_VERSION}",
    ]
