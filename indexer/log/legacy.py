"""Read lines of the earlier product as events.

Pure. It wrote a run as two snapshots, start and end, and an event as a record of its own. They
have no event id, so each gets one made of its content and of its ordinal among identical lines of
its segment.
"""

from __future__ import annotations

import json
from typing import Any, Optional

from telemetry_core.degrade import writable
from telemetry_core.event import RUN_ENDED, RUN_EVENT, RUN_STARTED, Event
from telemetry_core.line import BadLine
from telemetry_core.status import RUNNING
from telemetry_core.timestamp import canonical_time

MARK = b'"record_type"'
"""What every line of the earlier product contains, and hardly any other."""

SOURCE = "legacy"

# Bookkeeping of the earlier database, not facts about the run: our own columns of these names
# have their own values.
_NOT_ABOUT_THE_RUN = frozenset(
    (
        "record_type",
        "run_id",
        "id",
        "schema_version",
        "api_posted",
        "api_posted_at",
        "api_retry_count",
        "created_at",
        "updated_at",
    )
)


def parse_legacy(content: bytes) -> Optional[dict[str, Any]]:
    """Parse a line that strict JSON refuses, as that product's encoder could write it.

    It wrote NaN, Infinity and lone surrogates. Returns None if it is no such line at all.
    """
    if MARK not in content:
        return None
    try:
        value = json.loads(content, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def content_digest(content: bytes) -> str:
    """Return the part of a legacy event's id that comes from its content."""
    # Imported here, for it loads OpenSSL: few logs have lines of the earlier format.
    import hashlib

    return hashlib.blake2b(content, digest_size=16).hexdigest()


def event_from_legacy(record: dict[str, Any], digest: str, ordinal: int) -> Event:
    """Read a record as an event; `ordinal` counts identical lines before it in its segment.

    Raises BadLine for a record that names no run or no time.
    """
    run_id = record.get("run_id")
    if not isinstance(run_id, str) or not run_id:
        raise BadLine("not a record: no 'run_id'")
    kind = record.get("record_type")
    event_id = f"legacy-{digest}-{ordinal}"
    if kind == "run":
        return _run_snapshot(record, run_id, event_id)
    if kind == "event":
        moment = _time(record.get("timestamp"))
        data = {"event_type": record.get("event_type"), "payload": _payload(record)}
        return Event(event_id, SOURCE, RUN_EVENT, run_id, moment, data)
    raise BadLine(f"not a record: record_type {str(kind)[:32]!r}")


def _run_snapshot(record: dict[str, Any], run_id: str, event_id: str) -> Event:
    status = record.get("status")
    data = {
        name: value
        for name, value in record.items()
        if value is not None and name not in _NOT_ABOUT_THE_RUN
    }
    if status in (None, RUNNING):
        moment = _time(record.get("start_time") or record.get("created_at"))
        return Event(event_id, SOURCE, RUN_STARTED, run_id, moment, data)
    moment = _time(record.get("end_time") or record.get("updated_at") or record.get("start_time"))
    return Event(event_id, SOURCE, RUN_ENDED, run_id, moment, data)


def _payload(record: dict[str, Any]) -> Any:
    payload = record.get("payload_json")
    if isinstance(payload, str):
        try:
            return writable(json.loads(payload, parse_constant=lambda _: None))
        except (ValueError, RecursionError):
            return payload
    return payload


def _time(value: Any) -> str:
    if not isinstance(value, str):
        raise BadLine("not a record: no time")
    try:
        return canonical_time(value)
    except ValueError as error:
        raise BadLine(f"not a record: {error}") from None
