"""Define the fields of a run, for writer, fold, schema, records and docs.

Called by everything that names a run's columns. It holds data only, never behaviour.
"""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """One field of a run, as agents give it and as `agent_runs` holds it."""

    name: str
    kind: str
    """`text`, `integer`, `time` (RFC 3339, UTC) or `json`."""
    meaning: str


RUN_FIELDS: tuple[Field, ...] = (
    Field("agent_name", "text", "which agent ran"),
    Field("agent_owner", "text", "who is responsible for the agent; default `AGENT_OWNER`"),
    Field("job_type", "text", "what kind of work it was"),
    Field("trigger_type", "text", "what triggered it: cli, scheduler, web, manual, ..."),
    Field("start_time", "time", "when it began; default the time of `run.started`"),
    Field("end_time", "time", "when it ended; NULL while running"),
    Field("status", "text", "running, success, failed, partial, timeout, cancelled, or as given"),
    Field("items_discovered", "integer", "how many items it found"),
    Field("items_succeeded", "integer", "how many it finished"),
    Field("items_failed", "integer", "how many it could not finish"),
    Field("items_skipped", "integer", "how many items it skipped"),
    Field("duration_ms", "integer", "milliseconds from start to end; NULL while running"),
    Field("input_summary", "text", "what went in, for people"),
    Field("output_summary", "text", "what came out, for people"),
    Field("error_summary", "text", "the error in one line: `Type: message`"),
    Field("error_details", "text", "the error at length: traceback, response, ..."),
    Field("metrics_json", "json", "other measurements, as an object"),
    Field("insight_id", "text", "the insight that led to this run"),
    Field("product", "text", "the product worked on"),
    Field("platform", "text", "the platform worked on"),
    Field("product_family", "text", "the family the product belongs to"),
    Field("subdomain", "text", "the part of the site worked on"),
    Field("website", "text", "the site worked on"),
    Field("website_section", "text", "the section of that site"),
    Field("item_name", "text", "the one item worked on, when there is one"),
    Field("source_ref", "text", "where the input came from"),
    Field("target_ref", "text", "where the output went"),
    Field("git_repo", "text", "the repository of the working directory"),
    Field("git_branch", "text", "its branch"),
    Field("git_run_tag", "text", "a tag that groups runs"),
    Field("git_commit_hash", "text", "the commit it ran from, or that it led to"),
    Field("git_commit_source", "text", "how that commit came about: manual, llm, ci, ..."),
    Field("git_commit_author", "text", "who wrote that commit"),
    Field("git_commit_timestamp", "time", "when that commit was made"),
    Field("host", "text", "the machine it ran on"),
    Field("environment", "text", "production, staging, development, ..."),
    Field("context_json", "json", "everything else: unknown fields are kept here"),
    Field("parent_run_id", "text", "the run that this one ran inside of"),
)

API_FIELDS: tuple[str, ...] = (
    "run_id",
    "agent_name",
    "agent_owner",
    "job_type",
    "trigger_type",
    "start_time",
    "end_time",
    "status",
    "items_discovered",
    "items_succeeded",
    "items_failed",
    "duration_ms",
    "error_summary",
    "product",
    "platform",
    "product_family",
    "subdomain",
    "git_repo",
    "git_branch",
    "host",
)
"""The fields of a run that receivers of posted runs know, in the order in which they are sent."""

RUN_FIELD_NAMES: frozenset[str] = frozenset(field.name for field in RUN_FIELDS)
TIME_FIELDS: frozenset[str] = frozenset(field.name for field in RUN_FIELDS if field.kind == "time")

SCHEMA_VERSION = 11
"""Version of the database schema. A database with another version is rebuilt from the log."""
