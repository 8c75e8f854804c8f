"""The line: an event as the bytes that stand in the log, and back.

Called by the client to encode and by every reader to decode. Pure: it never touches a file.
The format is drawn in docs/format.md.
"""

from __future__ import annotations

import marshal
from typing import Any, Optional

import orjson

from telemetry_core.degrade import degraded, shortened
from telemetry_core.event import Event
from telemetry_core.redaction import redacted
from telemetry_core.timestamp import canonical_time

MAX_LINE_BYTES = 16 * 1024 * 1024
"""The longest line that is written or read, in bytes, its newline included."""

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
) -> bytes:
    """Return the line of an event that is given in parts, newline included.

    Never raises for what a caller put into `data`: a value that JSON cannot hold is written
    as well as it can be, and a value too large for a line is cut and marked as cut.
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
    line = _dump(envelope) if _is_plain(envelope if extensions else data) else None
    if line is None:
        line = orjson.dumps(degraded(envelope), option=orjson.OPT_APPEND_NEWLINE)
    line = redacted(line, data)
    if len(line) > MAX_LINE_BYTES:
        envelope = orjson.loads(line)
        envelope["data"] = shortened(envelope["data"], MAX_LINE_BYTES // 2)
        line = orjson.dumps(envelope, option=orjson.OPT_APPEND_NEWLINE)
    return line


def _dump(envelope: dict[str, Any]) -> Optional[bytes]:
    try:
        return orjson.dumps(envelope, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        # One error for the whole tree; finding the culprit is the slow path's work.
        return None


def _is_plain(value: Any) -> bool:
    """Whether the tree is of Python's own types alone, told without running Python code.

    orjson may be given no other: it walks dictionaries in C, and where it meets an enum or a
    time zone it runs Python, during which another thread of the agent may change the very
    dictionary, and the agent dies of a segmentation fault. `marshal` takes the plain types
    and no others, save some that orjson refuses in its turn.
    """
    try:
        marshal.dumps(value, 2)
    except ValueError:
        return False
    return True


def decode(line: bytes) -> Event:
    """Read one line, with or without its line ending. Raises BadLine."""
    return event_from(parse_object(line))


def parse_object(line: bytes) -> dict[str, Any]:
    """Read one line as the JSON object it has to be. Raises BadLine."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadLine(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadLine(f"not an object: {type(value).__name__}")
    return value


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
