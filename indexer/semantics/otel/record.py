"""Read one span or log record of an `otel.span` or `otel.log` event.

What a record says is read here as OTLP defines it; what its attributes mean is for the
vocabularies to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from indexer.semantics.facts import ERROR, OK
from indexer.semantics.values import first_line, mapping, nano_time, nanoseconds, sequence, text

_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")
_INTEGER = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_MAX_DEPTH = 16
_ERROR_CODE = 2
# Of `flags`: whether it is known that the parent is remote, and whether it is.
_REMOTE_PARENT = 0x300


@dataclass(frozen=True)
class Record:
    """A span or a log record."""

    is_span: bool
    resource: Mapping[str, Any]
    scope: str
    attributes: Mapping[str, Any]
    trace_id: Optional[str]
    span_id: Optional[str]
    parent_span_id: Optional[str]
    name: str
    """The span's name, or the name of the log record's event."""
    start: Optional[str]
    end: Optional[str]
    """A log record happens at one moment: its start and its end."""
    duration_ms: Optional[float] = None
    status_code: int = 0
    status_message: Optional[str] = None
    exception: Mapping[str, Any] = field(default_factory=dict)
    """The attributes of the span event `exception`, of the last if there are several."""
    has_remote_parent: bool = False

    @property
    def is_root(self) -> bool:
        """Whether the trace begins with this span, as far as this process knows."""
        return self.is_span and (self.parent_span_id is None or self.has_remote_parent)

    @property
    def status(self) -> str:
        """`error` for code 2, `ok` for all else."""
        return ERROR if self.status_code == _ERROR_CODE else OK

    @property
    def error(self) -> Optional[str]:
        """What went wrong in one line, None for a span that ended well."""
        if self.status_code != _ERROR_CODE:
            return None
        kind = text(self.exception.get("exception.type"))
        message = first_line(self.exception.get("exception.message"))
        if kind or message:
            return first_line(": ".join(one for one in (kind, message) if one))
        return first_line(self.status_message) or text(self.attributes.get("error.type"))


def read_record(data: Mapping[str, Any]) -> Record:
    """Return the record of an event's data; absent and mistyped fields are as if not given."""
    span, log = mapping(data.get("span")), mapping(data.get("log"))
    one = span or log
    scope = mapping(data.get("scope"))
    attributes = attributes_of(one.get("attributes"))
    status = mapping(one.get("status"))
    code = status.get("code")
    at = one.get("timeUnixNano")
    if nanoseconds(at) is None:
        at = one.get("observedTimeUnixNano")
    flags = one.get("flags")
    return Record(
        is_span=bool(span),
        resource=attributes_of(mapping(data.get("resource")).get("attributes")),
        scope=text(scope.get("name")) or "",
        attributes=attributes,
        trace_id=_identifier(one.get("traceId"), _TRACE_ID),
        span_id=_identifier(one.get("spanId"), _SPAN_ID),
        parent_span_id=_identifier(one.get("parentSpanId"), _SPAN_ID),
        name=_name(span) if span else _event_name(log, attributes),
        start=nano_time(span.get("startTimeUnixNano")) if span else nano_time(at),
        end=nano_time(span.get("endTimeUnixNano")) if span else nano_time(at),
        duration_ms=_duration(span),
        status_code=code if type(code) is int else 0,
        status_message=text(status.get("message")),
        exception=_exception(one.get("events")),
        has_remote_parent=type(flags) is int and flags & _REMOTE_PARENT == _REMOTE_PARENT,
    )


def attributes_of(pairs: Any) -> dict[str, Any]:
    """Return a list of OTLP attributes as a mapping; of a key that comes twice the last wins."""
    found: dict[str, Any] = {}
    for pair in sequence(pairs):
        key = mapping(pair).get("key")
        value = _value(mapping(pair).get("value"), 0)
        if isinstance(key, str) and value is not None:
            found[key] = value
    return found


def _value(any_value: Any, depth: int) -> Any:
    tagged = mapping(any_value)
    if depth > _MAX_DEPTH or not tagged:
        return None
    tag, value = next(iter(tagged.items()))
    if tag == "intValue":
        is_text = isinstance(value, str) and _INTEGER.fullmatch(value)
        return int(value) if is_text else value if type(value) is int else None
    if tag == "doubleValue":
        return value if type(value) in (int, float) else None
    if tag == "arrayValue":
        return [_value(one, depth + 1) for one in sequence(mapping(value).get("values"))]
    if tag == "kvlistValue":
        pairs = (mapping(one) for one in sequence(mapping(value).get("values")))
        return {str(one.get("key")): _value(one.get("value"), depth + 1) for one in pairs}
    return value if isinstance(value, (str, bool)) else None


def _identifier(value: Any, shape: re.Pattern[str]) -> Optional[str]:
    lower = value.lower() if isinstance(value, str) else ""
    return lower if shape.fullmatch(lower) else None


def _name(span: Mapping[str, Any]) -> str:
    return text(span.get("name")) or "span"


def _event_name(log: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
    """Codex puts a place in its source into `eventName`, Gemini a sentence into the body."""
    body = mapping(log.get("body")).get("stringValue")
    named = (text(one) for one in (attributes.get("event.name"), log.get("eventName"), body))
    return next((one for one in named if one), "log")


def _duration(span: Mapping[str, Any]) -> Optional[float]:
    start = nanoseconds(span.get("startTimeUnixNano"))
    end = nanoseconds(span.get("endTimeUnixNano"))
    if start is None or end is None or end < start:
        return None
    return round((end - start) / 1_000_000, 3)


def _exception(events: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for event in sequence(events):
        if mapping(event).get("name") == "exception":
            found = attributes_of(mapping(event).get("attributes"))
    return found
