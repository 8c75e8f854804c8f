"""Turn the spans and log records of a request into lines for the log.

Called by the application, in a thread. Pure. Id, run and time of a line follow from its record
alone, for the same record may come again, from another request, in another order.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, NamedTuple

import orjson

from indexer.receivers.canonical import canonical
from indexer.receivers.decoding import NotDecodable
from indexer.semantics.run_ids import run_of_log, run_of_span
from telemetry_core.degrade import degraded
from telemetry_core.line import MAX_LINE_BYTES
from telemetry_core.timestamp import format_time

SOURCE = "telemetry/receive"
"""The source of all that is received; host and process are in the record's resource."""
SPAN, LOG = "otel.span", "otel.log"

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")


class Lines(NamedTuple):
    """What a request comes to."""

    lines: bytes
    events: int
    refused: int
    """Spans without a valid identifier, and whatever is no object."""


def lines_of(signal: str, request: Mapping[str, Any], redact: Callable[[bytes], bytes]) -> Lines:
    """Return the lines of a request's records. Raises NotDecodable."""
    lines: list[bytes] = []
    refused = 0
    make = _span_line if signal == "traces" else _log_line
    for data in _records(signal, request):
        line = make(data, redact)
        if line:
            lines.append(line)
        else:
            refused += 1
    return Lines(b"".join(lines), len(lines), refused)


def _records(signal: str, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each record with its resource and scope; empty where it is no object."""
    outer, inner, many, one = (
        ("resourceSpans", "scopeSpans", "spans", "span")
        if signal == "traces"
        else ("resourceLogs", "scopeLogs", "logRecords", "log")
    )
    for group in _objects(request.get(outer)):
        resource = _described(group, "resource")
        for part in _objects(group.get(inner)):
            scope = _described(part, "scope")
            for record in _sequence(part.get(many)):
                if isinstance(record, dict):
                    yield {"resource": resource, "scope": scope, one: canonical(record)}
                else:
                    yield {}


def _described(holder: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a resource or a scope, with the address of its schema."""
    described = holder.get(name)
    schema = {"schemaUrl": holder.get("schemaUrl")}
    known: dict[str, Any] = canonical(
        {**(described if isinstance(described, dict) else {}), **schema}
    )
    return known


def _span_line(data: dict[str, Any], redact: Callable[[bytes], bytes]) -> bytes:
    span = data.get("span", {})
    trace, own = span.get("traceId"), span.get("spanId")
    if not (_is(trace, _TRACE_ID) and _is(own, _SPAN_ID)):
        return b""
    moment = _time(span.get("startTimeUnixNano"), span.get("endTimeUnixNano"))
    return _line(_Head(f"otel-{trace}-{own}", SPAN, run_of_span(data), moment), data, redact)


def _log_line(data: dict[str, Any], redact: Callable[[bytes], bytes]) -> bytes:
    if not data:
        return b""
    log = data["log"]
    digest = hashlib.blake2b(
        orjson.dumps(data, option=orjson.OPT_SORT_KEYS), digest_size=16
    ).hexdigest()
    moment = _time(log.get("timeUnixNano"), log.get("observedTimeUnixNano"))
    return _line(_Head(digest, LOG, run_of_log(data), moment), data, redact)


class _Head(NamedTuple):
    """What a line says before its data."""

    event_id: str
    kind: str
    run_id: str
    time: str


def _line(head: _Head, data: dict[str, Any], redact: Callable[[bytes], bytes]) -> bytes:
    envelope = {
        "specversion": "1.0",
        "id": head.event_id,
        "source": SOURCE,
        "type": head.kind,
        "subject": head.run_id,
        "time": head.time,
        "data": data,
    }
    line = redact(orjson.dumps(envelope, option=orjson.OPT_APPEND_NEWLINE))
    if len(line) > MAX_LINE_BYTES:
        envelope["data"] = degraded(data, MAX_LINE_BYTES // 4)
        line = redact(orjson.dumps(envelope, option=orjson.OPT_APPEND_NEWLINE))
    return line


def _time(*nanoseconds: Any) -> str:
    """Return the first time that is given, cut to microseconds; 1970 for none."""
    for one in nanoseconds:
        if isinstance(one, str) and one.isdecimal() and int(one) > 0:
            try:
                return format_time(_EPOCH + timedelta(microseconds=int(one) // 1000))
            except OverflowError:
                continue
    return format_time(_EPOCH)


def _is(value: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    return (one for one in _sequence(value) if isinstance(one, dict))


def _sequence(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise NotDecodable("a list of records is no list")
    return value


def metrics_in(request: Mapping[str, Any]) -> int:
    """Return how many metrics a request has; they are counted and not kept."""
    return sum(
        len(_sequence(part.get("metrics")))
        for group in _objects(request.get("resourceMetrics"))
        for part in _objects(group.get("scopeMetrics"))
    )
