"""Spell a record in one canonical form, however its sender encoded it.

Called by the events. Pure. Protobuf leaves out what has its default value, JSON may or may not;
identifiers come in either case, long numbers as text or not. In one form the same record is the
same bytes, and so has the same id.
"""

from __future__ import annotations

import math
from typing import Any

MAX_LEVELS = 200
"""How deep JSON may nest: protobuf stops at 100 messages, which is about as deep."""

_IDENTIFIERS = frozenset(("traceId", "spanId", "parentSpanId"))
_LONG_NUMBERS = frozenset(
    ("startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "observedTimeUnixNano")
)
# Of a value exactly one of these is given, and its default is as good a value as any.
_VALUES = frozenset(
    (
        "stringValue",
        "boolValue",
        "intValue",
        "doubleValue",
        "arrayValue",
        "kvlistValue",
        "bytesValue",
    )
)
_KEYED = "key"


class TooDeep(ValueError):
    """A record nests deeper than a line of the log may."""


def canonical(value: Any, level: int = 0) -> Any:
    """Return a part of an OTLP/JSON request in its canonical form. Raises TooDeep."""
    if level > MAX_LEVELS:
        raise TooDeep(f"the request nests deeper than {MAX_LEVELS} levels")
    if isinstance(value, dict):
        return _object(value, level)
    if isinstance(value, list):
        return [canonical(one, level + 1) for one in value]
    return value


def _object(value: dict[str, Any], level: int) -> dict[str, Any]:
    found = {}
    for name in sorted(value):
        inner = _field(name, value[name], level)
        if name in _VALUES or name == _KEYED or not _is_default(inner):
            found[name] = inner
    return found


def _field(name: str, value: Any, level: int) -> Any:
    if name in _IDENTIFIERS and isinstance(value, str):
        return value.lower()
    if name in _LONG_NUMBERS or name == "intValue":
        return _long(value)
    if name == "doubleValue":
        return _double(value)
    return canonical(value, level + 1)


def _long(value: Any) -> Any:
    """A number of 64 bits as text, without zeros before it; 0 as the default that it is."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return value
    return str(number)


def _double(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            return value
        return number if math.isfinite(number) else str(number)
    return value


def _is_default(value: Any) -> bool:
    return value in (None, "", "0", 0, False) or value in ([], {})
