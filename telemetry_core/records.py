"""Runs, events and API payloads as objects, by the names existing users import.

Nothing in the library needs them; they read and write dictionaries and touch no file. Their
fields are those of `run_fields.py`, which a test compares.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional, TypeVar

import orjson

from telemetry_core.run_fields import SCHEMA_VERSION
from telemetry_core.status import RUNNING

_Record = TypeVar("_Record", bound="Record")


@dataclass
class Record:
    """What all records can do."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary."""
        return dataclasses.asdict(self)

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return orjson.dumps(self.to_dict()).decode()

    @classmethod
    def from_dict(cls: type[_Record], data: Mapping[str, Any]) -> _Record:
        """Build a record from a dictionary; names that it does not have are left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})


@dataclass
class RunRecord(Record):
    """One run: a row of `agent_runs`. Times are RFC 3339 text in UTC."""

    run_id: str
    agent_name: str
    job_type: str
    trigger_type: str
    start_time: str
    agent_owner: Optional[str] = None
    end_time: Optional[str] = None
    status: str = RUNNING
    items_discovered: int = 0
    items_succeeded: int = 0
    items_failed: int = 0
    items_skipped: Optional[int] = None
    duration_ms: Optional[int] = None
    input_summary: Optional[str] = None
    output_summary: Optional[str] = None
    error_summary: Optional[str] = None
    error_details: Optional[str] = None
    metrics_json: Optional[str] = None
    insight_id: Optional[str] = None
    product: Optional[str] = None
    platform: Optional[str] = None
    product_family: Optional[str] = None
    subdomain: Optional[str] = None
    website: Optional[str] = None
    website_section: Optional[str] = None
    item_name: Optional[str] = None
    source_ref: Optional[str] = None
    target_ref: Optional[str] = None
    git_repo: Optional[str] = None
    git_branch: Optional[str] = None
    git_run_tag: Optional[str] = None
    git_commit_hash: Optional[str] = None
    git_commit_source: Optional[str] = None
    git_commit_author: Optional[str] = None
    git_commit_timestamp: Optional[str] = None
    host: Optional[str] = None
    environment: Optional[str] = None
    context_json: Optional[str] = None
    parent_run_id: Optional[str] = None
    schema_version: int = SCHEMA_VERSION
    api_posted: int = 0
    api_posted_at: Optional[str] = None
    api_retry_count: int = 0
    created_at: Optional[str] = None
    updated_at: Optional[str] = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields with the `record_type` that the earlier log format has."""
        return {**super().to_dict(), "record_type": "run"}


@dataclass
class RunEvent(Record):
    """One event of a run: a row of `run_events`."""

    run_id: str
    event_type: str
    timestamp: str
    payload_json: Optional[str] = None
    id: Optional[str] = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields with the `record_type` that the earlier log format has."""
        return {**super().to_dict(), "record_type": "event"}


@dataclass
class APIPayload(Record):
    """A run as it is posted: the twenty fields that receivers know."""

    run_id: str
    agent_name: str
    job_type: str
    trigger_type: str
    start_time: str
    status: str
    agent_owner: Optional[str] = None
    end_time: Optional[str] = None
    items_discovered: int = 0
    items_succeeded: int = 0
    items_failed: int = 0
    duration_ms: Optional[int] = None
    error_summary: Optional[str] = None
    product: Optional[str] = None
    platform: Optional[str] = None
    product_family: Optional[str] = None
    subdomain: Optional[str] = None
    git_repo: Optional[str] = None
    git_branch: Optional[str] = None
    host: Optional[str] = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that have a value."""
        return {name: value for name, value in super().to_dict().items() if value is not None}

    @classmethod
    def from_run_record(cls, record: RunRecord) -> APIPayload:
        """Build the payload of a run."""
        return cls.from_dict(dataclasses.asdict(record))
