"""Encode an event as the bytes in the log, and decode them.

Called by the client to encode and by every reader to decode. Pure: it never touches a file.
The format is drawn in docs/format.md.
"""

from __future__ import annotations

import marshal
from math import isfinite
from typing import Any, Optional

import orjson

from telemetry_core.degrade import degraded
from telemetry_core.event import Event
from telemetry_core.plain import plain_size
from telemetry_core.redaction import is_harmless, redacted
from telemetry_core.timestamp import canonical_time

MAX_LINE_BYTES = 16 * 1024 * 1024
"""The longest line that is written or read, in bytes, its newline included."""

_ENVELOPE_ROOM = 4_096
"""Bytes for all but the data; run ids and our own texts are bounded."""
_LEAST_ROOM = 256
_SMALL = 1_024
_NO_MEMORY = {"event_type": "cut", "payload": "[cut: no memory]"}

_REQUIRED = ("specversion", "id", "source", "type", "subject", "time")
_ENVELOPE = frozenset((*_REQUIRED, "data"))


class BadLine(ValueError):
    """The bytes are not an event; the message says why, in words fit for the quarantine."""


def encode(event: Event) -> bytes:
    """Return the event's line, newline included; as `line_of`."""
    return line_of(*event)


def line_of(  # noqa: PLR0917  # the parts of an event, in their order
    event_id: str,
    source: str,
    kind: str,
    run_id: str,
    time: str,
    data: Any,
    extensions: Optional[dict[str, Any]] = None,
    max_bytes: int = MAX_LINE_BYTES,
    *,
    redact: bool = True,
) -> bytes:
    """Return the line of an event that is given in parts, newline included.

    Whatever `data` holds is written as well as it can be, cut where it is too large.
    """
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": kind,
        "subject": run_id,
        "time": time,
    }
    if extensions:
        envelope.update(extensions)
    envelope["data"] = data
    # The envelope without extensions is ours, and so are its texts.
    size = plain_size(envelope if extensions else data, max_bytes)
    if 0 <= size <= max_bytes and _has_memory(size):
        try:
            line = _plain_json(envelope)
            if redact:
                line = redacted(line)
        except (TypeError, ValueError, MemoryError):
            # One error for the whole tree; finding the culprit is the slow path's work.
            line = b""
        if 0 < len(line) <= max_bytes:
            return line
    return _bounded_line(envelope, max_bytes)


def _plain_json(envelope: dict[str, Any]) -> bytes:
    """Return the line of a tree that was found to be plain, if it still is.

    Raises TypeError, or ValueError. Since it was looked at, another thread or a signal handler may
    have put an enum into it, of which orjson would die (plain.py). marshal takes no enum, and as C
    calls both here, nobody comes between the two.
    """
    return next(map(orjson.dumps, filter(marshal.dumps, (envelope,)))) + b"\n"


def redacted_lines(lines: bytes, data: bytes) -> bytes:
    """Return many lines without their secrets, looked for in all of them at once.

    `data` is what `data_of` returns of each.
    """
    if is_harmless(data):
        return lines
    return b"".join(map(_redacted_line, lines.splitlines(keepends=True)))


def _redacted_line(line: bytes) -> bytes:
    line = redacted(line)
    if len(line) <= MAX_LINE_BYTES:
        return line
    return _bounded_line(orjson.loads(line), MAX_LINE_BYTES)


def _bounded_line(envelope: dict[str, Any], max_bytes: int) -> bytes:
    """Return a line with as much of the data as line and memory have room for."""
    room = max_bytes - _ENVELOPE_ROOM
    while room >= _LEAST_ROOM:
        if _has_memory(room):
            try:
                line = _degraded_line(envelope, room)
            except MemoryError:
                line = b""
            if 0 < len(line) <= max_bytes:
                return line
        room //= 4
    return orjson.dumps({**envelope, "data": _NO_MEMORY}, option=orjson.OPT_APPEND_NEWLINE)


def _degraded_line(envelope: dict[str, Any], room: int) -> bytes:
    names = degraded({name: value for name, value in envelope.items() if name != "data"})
    names["data"] = degraded(envelope["data"], room)
    return redacted(orjson.dumps(names, option=orjson.OPT_APPEND_NEWLINE))


def _has_memory(size: int) -> bool:
    """Whether there is memory to encode a tree of about `size` bytes.

    orjson dies where it gets none, and the agent with it. It doubles its buffer as it goes, and
    the size may be half of what the text takes. Zeroed memory that nobody writes to costs nothing.
    """
    if size <= _SMALL:
        return True
    try:
        bytes(6 * size)
    except MemoryError:
        return False
    return True


def decode(line: bytes) -> Event:
    """Read one line, with or without its line ending. Raises BadLine."""
    return event_from(parse_object(line))


def parse_object(line: bytes) -> dict[str, Any]:
    """Read one line as the JSON object it has to be. Raises BadLine, or MemoryError."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if "memory" not in str(error).lower():
            raise BadLine(f"not JSON: {error}") from None
        value = _parse_with_less_memory(line, error)
    if not isinstance(value, dict):
        raise BadLine(f"not an object: {type(value).__name__}")
    return value


_ABSURD_NESTING = 1_000
_SHORT_LINE = 65_536
"""Bytes; the standard library parses as much even where memory is short."""


def _parse_with_less_memory(line: bytes, refusal: Exception) -> Any:
    """Parse what orjson says it has no memory for. Raises BadLine, or MemoryError if that is so.

    It also says so of absurd nesting and of some broken lines, whatever memory there is.
    """
    # Imported here: next to no line comes here.
    import json

    nesting = line.count(b"[") + line.count(b"{")
    if len(line) > _SHORT_LINE and nesting < _ABSURD_NESTING:
        raise MemoryError("no memory to parse a line")
    try:
        return json.loads(line.decode(), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        raise BadLine(f"not JSON: {refusal}") from None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    if not isfinite(number := float(text)):
        raise ValueError(f"{text} is beyond all floats")
    return number


def event_from(envelope: dict[str, Any]) -> Event:
    """Read a parsed envelope as an event. Raises BadLine where a required name is wrong."""
    try:
        event_id, source, kind = envelope["id"], envelope["source"], envelope["type"]
        run_id, moment = envelope["subject"], envelope["time"]
        version = envelope["specversion"]
    except KeyError as error:
        raise BadLine(f"not an event: no {error.args[0]!r}") from None
    for value in (version, event_id, source, kind, run_id, moment):
        if type(value) is not str or not value:
            name = next(name for name in _REQUIRED if envelope[name] is value)
            raise BadLine(f"not an event: {name!r} is not a text")
    if not version.startswith("1."):
        raise BadLine(f"not an event: specversion {version[:16]!r} is not 1.x")
    try:
        moment = canonical_time(moment)
    except ValueError as error:
        raise BadLine(f"not an event: {error}") from None
    extensions = None
    if len(envelope) > len(_REQUIRED) + ("data" in envelope):
        extensions = {name: value for name, value in envelope.items() if name not in _ENVELOPE}
    return Event(event_id, source, kind, run_id, moment, envelope.get("data"), extensions)
