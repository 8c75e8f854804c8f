"""The columns of `agent_runs`: what a row has, in order.

Read by the fold, which makes rows, and by the store, which keeps them: all that the two share.
It holds data only.
"""

from __future__ import annotations

from telemetry_core.run_fields import RUN_FIELDS

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
    "foreign_events",
)

SPAN_COLUMNS: tuple[str, ...] = (
    "run_id",
    "span_id",
    "parent_span_id",
    "name",
    "kind",
    "status",
    "start_time",
    "end_time",
    "duration_ms",
    "model",
    "provider",
    "tool_name",
    "error",
    "time_to_first_token_ms",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cache_write_1h_tokens",
    "cost_reported_usd",
    "vocabulary",
    "attributes_json",
    "start_event",
    "end_event",
)
"""What a row of `run_spans` has of its span's events, in order."""

SETTLED_COLUMNS: tuple[str, ...] = ("is_owner", "counted")
"""What it has beyond that, of other spans and runs."""

PRICED_COLUMNS: tuple[str, ...] = ("cost_estimated_usd", "price_version")
"""What it has of price data: no function of the log."""
