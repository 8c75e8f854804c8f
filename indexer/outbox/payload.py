"""Make the JSON of a run that receivers get, and its idempotency key. Pure.

A payload is a function of the run's revision alone. Columns that change without a new revision
(counts of events, receipts, the time of the last event) are left out: otherwise the same key
would be sent with different bytes. Its size is bounded, whatever the agent recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from telemetry_core.run_fields import API_FIELDS, RUN_FIELDS

KNOWN_FIELDS = API_FIELDS
"""The fields that receivers of the earlier product know."""

ALL_FIELDS = ("run_id", *(field.name for field in RUN_FIELDS), "revision", "updated_at")

MAX_TEXT_CHARACTERS = 16_384
"""A longer text is cut, with a mark."""
MAX_JSON_CHARACTERS = 65_536
"""A larger JSON field is left out: cut in the middle it would not be JSON."""

_JSON_FIELDS = frozenset(field.name for field in RUN_FIELDS if field.kind == "json")
_KEY_LENGTH = 200


def payload_of(row: Mapping[str, Any], names: tuple[str, ...]) -> bytes:
    """Return the named fields of a run as a JSON object; null fields are left out."""
    values = {name: _bounded(name, row[name]) for name in names if row[name] is not None}
    return orjson.dumps(values)


def cut(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters; one that was cut ends in a mark.

    Characters are UTF-16 code units, as most receivers count them: an emoji is two.
    """
    if _utf16_length(text) <= limit:
        return text
    mark = f"... [cut: {len(text)} characters]"
    kept = text[: max(0, limit - len(mark))]
    while _utf16_length(kept) + len(mark) > limit:
        kept = kept[: -max(1, (_utf16_length(kept) + len(mark) - limit) // 2)]
    return kept + mark


def key_of(run_id: str, revision: int, names: tuple[str, ...]) -> str:
    """Return the idempotency key of a revision: ASCII, fit for a header, unique.

    A payload of all fields has another key than one of the known fields. Otherwise a change of
    the settings would send another payload under a key that the receiver has seen.
    """
    # Imported here: it is large, and commands that read the outbox make no keys.
    from urllib.parse import quote

    name = quote(run_id, safe="")
    if len(name) > _KEY_LENGTH:
        # Imported here: it loads OpenSSL.
        import hashlib

        digest = hashlib.blake2b(run_id.encode(), digest_size=16).hexdigest()
        # `=` occurs in no quoted name, so that no other run has this key.
        name = f"{name[: _KEY_LENGTH // 2]}={digest}"
    return f"{name}:{revision}" + (":all" if names == ALL_FIELDS else "")


def _bounded(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if name in _JSON_FIELDS:
        if len(value) <= MAX_JSON_CHARACTERS:
            return value
        return orjson.dumps({"left_out": f"{len(value)} characters"}).decode()
    return cut(value, MAX_TEXT_CHARACTERS)


def _utf16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text) + sum(one > "\uffff" for one in text)
