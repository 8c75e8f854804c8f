"""Decode lines: each becomes an event, or a reason why it is not one.

Called by the ingest pass and by verify. What a line contains never raises; a lack of memory does,
for it says nothing about the line.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Callable, NamedTuple, Optional, cast

from indexer.log import legacy
from indexer.log.lines import Line, text_of_line
from telemetry_core.degrade import MAX_DEPTH, degraded, writable
from telemetry_core.event import Event
from telemetry_core.line import MAX_LINE_BYTES, BadLine, event_from, parse_object

TOO_LONG = f"longer than {MAX_LINE_BYTES} bytes"
"""Why a line is refused without being parsed."""


class Entry(NamedTuple):
    """What a line is: an event, a fault, or neither if it is blank."""

    line: Line
    event: Optional[Event]
    fault: Optional[str]


class Ordinals:
    """Counts how often each legacy line has appeared in one segment so far.

    `lines_before` returns the lines of the segment before the first one decoded here; they are
    read only if there is a legacy line at all.
    """

    def __init__(self, lines_before: Callable[[], Iterable[Line]]) -> None:
        self._lines_before = lines_before
        self._seen: Optional[Counter[str]] = None

    def next_of(self, digest: str) -> int:
        """Return how many lines of this content come before this one, and count it."""
        if self._seen is None:
            before = self._lines_before()
            self._seen = Counter(
                legacy.content_digest(text_of_line(line.content))
                for line in before
                if legacy.MARK in line.content
            )
        ordinal = self._seen[digest]
        self._seen[digest] += 1
        return ordinal


def decode_lines(lines: Iterable[Line], ordinals: Ordinals) -> Iterator[Entry]:
    """Yield an entry for each line, in order."""
    for line in lines:
        if line.too_long:
            yield Entry(line, None, TOO_LONG)
            continue
        try:
            yield Entry(line, decode(line.content, ordinals), None)
        except BadLine as error:
            yield Entry(line, None, str(error))


def decode(content: bytes, ordinals: Ordinals) -> Optional[Event]:
    """Return the event of a line, None for a blank one. Raises BadLine or MemoryError."""
    try:
        record = parse_object(content)
    except BadLine:
        odd = _parse_odd(content)
        if odd is None:
            return None
        record = odd
    else:
        if content.count(b"{") + content.count(b"[") > MAX_DEPTH:
            # It may nest deeper than can be written again: cut here, the same way for everybody.
            record = cast("dict[str, Any]", writable(record))
    # The name must be there unescaped: otherwise it would be counted now, but not when the lines
    # before a cursor are counted again.
    if "specversion" in record or "record_type" not in record or legacy.MARK not in content:
        return event_from(record)
    digest = legacy.content_digest(text_of_line(content))
    # Every line with the mark is counted, bad ones too, so that the count depends on nothing but
    # the bytes before.
    return legacy.event_from_legacy(record, digest, ordinals.next_of(digest))


def _parse_odd(content: bytes) -> Optional[dict[str, Any]]:
    """Parse what is not JSON as it is: a blank line, one with a BOM, an earlier product's."""
    text = text_of_line(content)
    if not text.strip():
        return None
    try:
        return cast("dict[str, Any]", writable(parse_object(text)))
    except BadLine:
        lenient = legacy.parse_legacy(text)
        if lenient is not None:
            return cast("dict[str, Any]", degraded(lenient))
        second = _second_opinion(text)
        if second is None:
            raise
        return cast("dict[str, Any]", degraded(second))


def _second_opinion(text: bytes) -> Optional[dict[str, Any]]:
    """Parse with the standard library what orjson refused; None if it refuses it too.

    As strictly: no NaN, no lone surrogate, nothing that is not UTF-8, and nothing nested deeper
    than either library may go. So which lines are quarantined does not depend on one library.
    """
    if text.count(b"{") + text.count(b"[") > MAX_DEPTH:
        return None
    try:
        value = json.loads(text.decode("utf-8"), parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _refuse(name: str) -> None:
    raise ValueError(name)
