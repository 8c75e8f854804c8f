"""Decoding: a line and its place to an entry, which is an event or a reason why not.

Called by the ingest pass and by verify. It never raises for what a line holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Callable, NamedTuple, Optional, cast

from indexer.log import legacy
from indexer.log.lines import Line, text_of_line
from telemetry_core.degrade import MAX_DEPTH, degraded, writable
from telemetry_core.event import Event
from telemetry_core.line import MAX_LINE_BYTES, BadLine, event_from, parse_object

TOO_LONG = f"longer than {MAX_LINE_BYTES} bytes"
"""What is wrong with a line that is not even looked at."""


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
    """Return the event of a line, None for a blank one. Raises BadLine."""
    try:
        record = parse_object(content)
    except BadLine:
        odd = _parse_odd(content)
        if odd is None:
            return None
        record = odd
    else:
        if content.count(b"{") + content.count(b"[") > MAX_DEPTH:
            # It may nest deeper than can be written again: cut now, the same way for everybody.
            record = cast("dict[str, Any]", writable(record))
    # The name has to stand there as it is: escaped, it would be counted now and not when the
    # lines before a cursor are counted again.
    if "specversion" in record or "record_type" not in record or legacy.MARK not in content:
        return event_from(record)
    digest = legacy.content_digest(text_of_line(content))
    # Every line with the mark is counted, bad ones too, so that the count is a matter of
    # the bytes before and of nothing else.
    return legacy.event_from_legacy(record, digest, ordinals.next_of(digest))


def _parse_odd(content: bytes) -> Optional[dict[str, Any]]:
    """Parse what is no JSON as it stands: a blank line, one with a BOM, an earlier product's."""
    text = text_of_line(content)
    if not text.strip():
        return None
    try:
        return cast("dict[str, Any]", writable(parse_object(text)))
    except BadLine:
        lenient = legacy.parse_legacy(text)
        if lenient is None:
            raise
        return cast("dict[str, Any]", degraded(lenient))
