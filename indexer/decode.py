"""Decoding: a line and its place to an entry, which is an event or a reason why not.

Called by the ingest pass and by verify. It never raises for what a line holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Callable, NamedTuple, Optional, cast

from indexer import legacy
from indexer.tail import Line
from telemetry_core.degrade import MAX_DEPTH, degraded, writable
from telemetry_core.event import Event
from telemetry_core.line import MAX_LINE_BYTES, BadLine, event_from, parse_object


class Entry(NamedTuple):
    """What a line came to: one of event, fault, or neither, for a blank line."""

    line: Line
    event: Optional[Event]
    fault: Optional[str]


class Ordinals:
    """How often each legacy line has come up in one file so far.

    `lines_before` gives the lines of the file that stand before the first one decoded here;
    they are read only if a legacy line turns up at all.
    """

    def __init__(self, lines_before: Callable[[], Iterable[Line]]) -> None:
        self._lines_before = lines_before
        self._seen: Optional[Counter[str]] = None

    def next_of(self, digest: str) -> int:
        """Return how many lines of this content stand before this one, and count it."""
        if self._seen is None:
            before = self._lines_before()
            self._seen = Counter(
                legacy.content_digest(line.text) for line in before if legacy.MARK in line.content
            )
        ordinal = self._seen[digest]
        self._seen[digest] += 1
        return ordinal


def decode_lines(lines: Iterable[Line], ordinals: Ordinals) -> Iterator[Entry]:
    """Yield an entry for each line, in order."""
    for line in lines:
        try:
            yield Entry(line, _decode(line, ordinals), None)
        except BadLine as error:
            yield Entry(line, None, str(error))


def _decode(line: Line, ordinals: Ordinals) -> Optional[Event]:
    if line.too_long:
        raise BadLine(f"longer than {MAX_LINE_BYTES} bytes")
    content = line.text
    if not content.strip():
        return None
    record = _parse(content)
    # The name has to stand there as it is: escaped, it would be counted now and not when the
    # lines before a cursor are counted again.
    if legacy.MARK in content and "record_type" in record and "specversion" not in record:
        digest = legacy.content_digest(content)
        # Every line with the mark is counted, bad ones too, so that the count is a matter of
        # the bytes before and of nothing else.
        return legacy.event_from_legacy(record, digest, ordinals.next_of(digest))
    return event_from(record)


def _parse(content: bytes) -> dict[str, Any]:
    try:
        record = parse_object(content)
    except BadLine:
        lenient = legacy.parse_legacy(content)
        if lenient is None:
            raise
        return cast("dict[str, Any]", degraded(lenient))
    if content.count(b"{") + content.count(b"[") > MAX_DEPTH:
        # It may nest deeper than can be written again: cut now, the same way for everybody.
        return cast("dict[str, Any]", writable(record))
    return record
