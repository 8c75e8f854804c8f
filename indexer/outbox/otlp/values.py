"""Values in the JSON encoding of OTLP: attributes, times and ids. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from indexer.outbox.payload import cut
from telemetry_core.timestamp import parse_time

MAX_TEXT_CHARACTERS = 8_192
"""A longer text is cut, with a mark."""
_MAX_ITEMS = 64
_MAX_DEPTH = 4
_INT64 = range(-(2**63), 2**63)
_TRACE_RUN = re.compile(r"trace-([0-9a-f]{32})", re.ASCII)
_SPAN_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
_NO_SPAN = "0" * 16
_NO_TRACE = "0" * 32

Attribute = dict[str, Any]
"""A `KeyValue` of OTLP: `{"key": ..., "value": {...}}`."""


def attributes_of(values: Mapping[str, Any]) -> list[Attribute]:
    """Return attributes by key; null values are left out."""
    return [
        {"key": cut(key, MAX_TEXT_CHARACTERS), "value": any_value(value)}
        for key, value in values.items()
        if value is not None
    ]


def any_value(value: Any, depth: int = 0) -> dict[str, Any]:
    """Return an `AnyValue`. Texts, lists and objects are bounded; deep ones become text."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        # 64-bit integers are decimal strings in protobuf's JSON.
        return {"intValue": str(value)} if value in _INT64 else {"doubleValue": float(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, (list, tuple)) and depth < _MAX_DEPTH:
        return {"arrayValue": {"values": [any_value(one, depth + 1) for one in _some(value)]}}
    if isinstance(value, Mapping) and depth < _MAX_DEPTH:
        items = [
            {"key": cut(str(key), MAX_TEXT_CHARACTERS), "value": any_value(one, depth + 1)}
            for key, one in _some(value.items())
        ]
        return {"kvlistValue": {"values": items}}
    return {"stringValue": cut(str(value), MAX_TEXT_CHARACTERS)}


def nanoseconds(time: Optional[str]) -> Optional[str]:
    """Return a canonical time as nanoseconds since 1970 in a string; None for what is no time."""
    try:
        moment = parse_time(time) if time else None
    except ValueError:
        return None
    if moment is None or moment.timestamp() < 0:
        return None
    whole = int(moment.replace(microsecond=0).timestamp())
    return str(whole * 10**9 + moment.microsecond * 1000)


def run_ids(run_id: str) -> tuple[str, str]:
    """Return the trace id of a run and the id of the span that stands for the run.

    A run that was received as a trace keeps its trace id. Others have the ids that their child
    processes get as `TRACEPARENT`.
    """
    # Imported here: it loads OpenSSL, and only targets of this kind need it.
    import hashlib

    digest = hashlib.blake2b(run_id.encode("utf-8", "replace"), digest_size=24).hexdigest()
    received = _TRACE_RUN.fullmatch(run_id)
    trace_id = received.group(1) if received else digest[:32]
    return (trace_id if trace_id != _NO_TRACE else digest[:32]), digest[32:]


def span_id_of(run_id: str, span_id: str) -> str:
    """Return the id of a span of a run: its own if it is one in OTLP, else one made of both."""
    if _SPAN_ID.fullmatch(span_id) and span_id != _NO_SPAN:
        return span_id
    import hashlib

    name = f"{run_id}\0{span_id}".encode("utf-8", "replace")
    return hashlib.blake2b(name, digest_size=8).hexdigest()


def _some(values: Iterable[Any]) -> list[Any]:
    return [one for _, one in zip(range(_MAX_ITEMS), values)]
