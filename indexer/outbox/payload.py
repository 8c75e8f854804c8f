"""The body: a run as the JSON that receivers get, and the key by which they know it again.

Called by whoever queues runs. Pure, and a function of the revision alone: columns that change
without a new revision (counts of events, receipts, the time of the last event) are left out, or
the same key would come with other bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from telemetry_core.fields import RUN_FIELDS

KNOWN_FIELDS = (
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
"""What existing receivers know."""

ALL_FIELDS = ("run_id", *(field.name for field in RUN_FIELDS), "revision", "updated_at")

_KEY_LENGTH = 200


def body_of(row: Mapping[str, Any], names: tuple[str, ...]) -> bytes:
    """Return a run's fields as a JSON object; what is null is absent."""
    return orjson.dumps({name: row[name] for name in names if row[name] is not None})


def key_of(run_id: str, revision: int, names: tuple[str, ...]) -> str:
    """Return the key of one revision: ASCII, fit for a header, and no other revision's.

    A body with all fields has another key than one with the known ones, or a change of the
    settings would put another body under a key that is known already.
    """
    name = quote(run_id, safe="")
    if len(name) > _KEY_LENGTH:
        # Imported here: it loads OpenSSL.
        import hashlib

        digest = hashlib.blake2b(run_id.encode(), digest_size=16).hexdigest()
        # `=` stands in no quoted name, so that this is no other run's.
        name = f"{name[: _KEY_LENGTH // 2]}={digest}"
    return f"{name}:{revision}" + (":all" if names == ALL_FIELDS else "")
