"""The tail: one file to lines, each with the place it stands at.

Called by the ingest pass and by verify. It reads bounded chunks, splits at newlines only, and
never yields an incomplete last line: that is "not yet".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Optional

from indexer.streams import read_chunk
from telemetry_core.line import MAX_LINE_BYTES

CHUNK_BYTES = 256 * 1024
_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One complete line of a file."""

    offset: int
    """Where it begins, in plain bytes from the start of its file."""
    length: int
    """Its bytes, newline included."""
    content: bytes
    """It without its newline; if it is too long, only its first bytes."""
    too_long: bool = False

    @property
    def end(self) -> int:
        """The offset after its newline, where a cursor may stand."""
        return self.offset + self.length

    @property
    def text(self) -> bytes:
        """The content without what editors and systems add: a carriage return, a BOM."""
        text = self.content[:-1] if self.content.endswith(b"\r") else self.content
        return text.removeprefix(_BOM)


def read_lines(
    stream: BinaryIO, offset: int, limit: Optional[int] = None, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[Line]:
    """Yield the complete lines of `stream`, which stands at `offset` of its file.

    Stops at the end, or after `limit` bytes, so that a file which grows as fast as it is read
    ends too. Raises what `read_chunk` raises, after all lines that came before.
    """
    rest: list[bytes] = []
    rest_length = 0
    budget = limit
    while budget is None or budget > 0:
        chunk = read_chunk(stream, chunk_bytes if budget is None else min(chunk_bytes, budget))
        if not chunk:
            return
        if budget is not None:
            budget -= len(chunk)
        first, newline, after = chunk.partition(b"\n")
        if rest_length <= MAX_LINE_BYTES:
            rest.append(first)
        rest_length += len(first)
        if not newline:
            continue
        yield _line(offset, rest_length + 1, b"".join(rest))
        offset += rest_length + 1
        *whole, last = after.split(b"\n")
        for content in whole:
            yield Line(offset, len(content) + 1, content)
            offset += len(content) + 1
        rest, rest_length = [last], len(last)


def _line(offset: int, length: int, content: bytes) -> Line:
    if length > MAX_LINE_BYTES:
        return Line(offset, length, content[:MAX_LINE_BYTES], too_long=True)
    return Line(offset, length, content)
