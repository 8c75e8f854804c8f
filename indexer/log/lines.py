"""Split a segment into complete lines, with their offsets.

It reads bounded chunks, splits at newlines only, and never yields an incomplete last line, which is
still being written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Optional

from indexer.log.streams import read_chunk
from telemetry_core.line import MAX_LINE_BYTES

CHUNK_BYTES = 256 * 1024
_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One complete line of a segment."""

    offset: int
    """Where it begins, in plain bytes from the start of its segment."""
    length: int
    """Its bytes, newline included."""
    content: bytes
    """The line without its newline; of one that is too long, only its first bytes."""
    too_long: bool = False

    @property
    def end(self) -> int:
        """The offset after its newline, which a cursor may point to."""
        return self.offset + self.length


class Block(NamedTuple):
    """Consecutive complete lines of one segment, from one chunk."""

    offset: int
    """Where the first begins, in plain bytes from the start of its segment."""
    contents: list[bytes]
    """Each line without its newline."""
    end: int
    """The offset after the last newline, which a cursor may point to."""
    too_long: bool = False
    """Whether this is one line that is too long, and its content only its first bytes."""

    @property
    def length(self) -> int:
        """Its bytes in the segment, newlines included."""
        return self.end - self.offset

    def lines(self) -> Iterator[Line]:
        """Yield the lines one by one."""
        if self.too_long:
            yield Line(self.offset, self.length, self.contents[0], too_long=True)
            return
        offset = self.offset
        for content in self.contents:
            yield Line(offset, len(content) + 1, content)
            offset += len(content) + 1

    def cut(self, offset: int) -> tuple[Block, list[Line]]:
        """Return the part that ends at or before `offset`, and the lines after it."""
        if self.end <= offset:
            return self, []
        lines = list(self.lines())
        before = [line for line in lines if line.end <= offset]
        end = before[-1].end if before else self.offset
        whole = self._replace(contents=self.contents[: len(before)], end=end)
        return whole, lines[len(before) :]


def read_lines(
    stream: BinaryIO, offset: int, limit: Optional[int] = None, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[Line]:
    """Yield the complete lines of `stream`, which is at `offset`; as `read_blocks` does."""
    for block in read_blocks(stream, offset, limit, chunk_bytes):
        yield from block.lines()


def read_blocks(
    stream: BinaryIO, offset: int, limit: Optional[int] = None, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[Block]:
    """Yield the complete lines of `stream`, which is at `offset` of its segment, in blocks.

    Stops at the end, or after `limit` bytes, so that a segment that grows as fast as it is read
    ends too. Raises what `read_chunk` raises, after every line before.
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
        contents, end = [b"".join(rest)], offset + rest_length + 1
        if rest_length >= MAX_LINE_BYTES:
            yield Block(offset, [contents[0][:MAX_LINE_BYTES]], end, too_long=True)
            contents, offset = [], end
        *whole, last = after.split(b"\n")
        contents += whole
        end += len(after) - len(last)
        if contents:
            yield Block(offset, contents, end)
        offset = end
        rest, rest_length = [last], len(last)


def text_of_line(content: bytes) -> bytes:
    """Return a line without what editors add: a carriage return, a BOM."""
    text = content[:-1] if content.endswith(b"\r") else content
    return text.removeprefix(_BOM)
