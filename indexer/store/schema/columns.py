"""The columns of `agent_runs`: what a row has, in order.

Read by the fold, which makes rows, and by the store, which keeps them: all that the two share.
It holds data only.
"""

from __future__ import annotations

from telemetry_core.fields import RUN_FIELDS

RUN_COLUMNS: tuple[str, ...] = (
    "run_id",
    *(field.name for field in RUN_FIELDS),
    "schema_version",
    "event_count",
    "last_event_time",
    "last_event_id",
    "revision",
    "api_posted",
    "api_posted_at",
    "api_posted_revision",
    "api_retry_count",
    "created_at",
    "updated_at",
    "source",
    "process_start",
)
