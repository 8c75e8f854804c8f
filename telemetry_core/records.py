"""The records: runs, events and API payloads as objects, by the names existing users import.

Made from the one list of fields. Nothing in the library needs them; they read and write
dictionaries and touch no file.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson

from telemetry_core.fields import RUN_FIELDS, SCHEMA_VERSION

API_FIELDS = (
    "run_id", "agent_name", "job_type", "trigger_type", "start_time", "status", "agent_owner",
    "end_time", "items_discovered", "items_succeeded", "items_failed", "duration_ms",
    "error_summary", "product", "platform", "product_family", "subdomain", "git_repo",
    "git_branch", "host",
)  # fmt: skip
"""The fields of a run that receivers of posted runs know."""

_REQUIRED = ("run_id", "agent_name", "job_type", "trigger_type", "start_time")
_DEFAULTS: dict[str, Any] = {
    "status": "running",
    "items_discovered": 0,
    "items_succeeded": 0,
    "items_failed": 0,
    "schema_version": SCHEMA_VERSION,
    "api_posted": 0,
    "api_retry_count": 0,
}
_RUN_NAMES = (
    *(field.name for field in RUN_FIELDS if field.name not in _REQUIRED),
    "schema_version", "api_posted", "api_posted_at", "api_retry_count", "created_at", "updated_at",
)  # fmt: skip


class _Record:
    """What all records can do."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary."""
        return dataclasses.asdict(self)  # type: ignore[call-overload,no-any-return]  # subclasses are dataclasses

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return orjson.dumps(self.to_dict()).decode()

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Any:
        """Build a record from a dictionary; names that it does not have are left out."""
        known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        return cls(**{name: value for name, value in data.items() if name in known})


class _Run(_Record):
    def to_dict(self) -> dict[str, Any]:
        """Return the fields with the `record_type` that the earlier log format has."""
        return {**super().to_dict(), "record_type": "run"}


class _Event(_Record):
    def to_dict(self) -> dict[str, Any]:
        """Return the fields with the `record_type` that the earlier log format has."""
        return {**super().to_dict(), "record_type": "event"}


class _Payload(_Record):
    def to_dict(self) -> dict[str, Any]:
        """Return the fields that have a value."""
        return {name: value for name, value in super().to_dict().items() if value is not None}

    @classmethod
    def from_run_record(cls, record: Any) -> Any:
        """Build the payload of a run."""
        return cls.from_dict(dataclasses.asdict(record))


def _record(name: str, required: tuple[str, ...], optional: tuple[str, ...], base: type) -> Any:
    fields: list[Any] = [(field, Any) for field in required]
    fields += [(field, Any, dataclasses.field(default=_DEFAULTS.get(field))) for field in optional]
    made = dataclasses.make_dataclass(name, fields, bases=(base,))
    made.__module__ = __name__
    return made


RunRecord = _record("RunRecord", _REQUIRED, _RUN_NAMES, _Run)
RunRecord.__doc__ = "One run: a row of `agent_runs`."
RunEvent = _record(
    "RunEvent", ("run_id", "event_type", "timestamp"), ("payload_json", "id"), _Event
)
RunEvent.__doc__ = "One event of a run: a row of `run_events`."
APIPayload = _record(
    "APIPayload",
    (*_REQUIRED, "status"),
    tuple(n for n in API_FIELDS if n not in (*_REQUIRED, "status")),
    _Payload,
)
APIPayload.__doc__ = "A run as it is posted: the twenty fields that receivers know."
