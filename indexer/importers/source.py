"""Read the bytes of one session file, plain or compressed, from a cursor on.

Called by the reader. It opens files for reading only, and waits for none.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Optional

from indexer.importers.envelope import Parsed, parse
from indexer.log.lines import read_lines, text_of_line
from indexer.log.streams import open_stream, read_chunk, skip

GUARD_BYTES = 256
_HEAD_BYTES = 256 * 1024
_HEAD_LINES = 10
_MOST_DOCUMENT_BYTES = 64 * 1024 * 1024


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a session file at its beginning. Raises OSError or StreamUnsupported."""
    stream = open_stream(path)
    try:
        yield stream
    finally:
        stream.close()


def read_head(path: Path) -> list[Parsed]:
    """Return the first complete lines of a file. Raises OSError or TelemetryError."""
    with opened(path) as stream:
        head: list[Parsed] = []
        for line in read_lines(stream, 0, limit=_HEAD_BYTES):
            head.append(parse(text_of_line(line.content)))
            if len(head) >= _HEAD_LINES:
                break
        return head


def read_document(path: Path) -> bytes:
    """Return a whole file, without the end of its last line. Raises OSError or TelemetryError."""
    with opened(path) as stream:
        chunks, size = [], 0
        while size <= _MOST_DOCUMENT_BYTES and (chunk := read_chunk(stream, 1024 * 1024)):
            chunks.append(chunk)
            size += len(chunk)
    return b"".join(chunks).rstrip(b"\r\n")


def guard_of(before: bytes) -> str:
    """Return a fingerprint of the bytes before a cursor."""
    return hashlib.blake2b(before[-GUARD_BYTES:], digest_size=12).hexdigest()


def go_to(stream: BinaryIO, offset: int, guard: str) -> Optional[bytes]:
    """Move a stream to `offset` and return the bytes before it, if `guard` was made of them."""
    start = max(0, offset - GUARD_BYTES)
    if not skip(stream, start):
        return None
    before = b""
    while len(before) < offset - start:
        chunk = read_chunk(stream, offset - start - len(before))
        if not chunk:
            return None
        before += chunk
    return before if guard_of(before) == guard else None


def rewound(stream: BinaryIO, path: Path) -> BinaryIO:
    """Return a stream of the same file that stands at its beginning."""
    if isinstance(stream, io.FileIO):
        stream.seek(0)
        return stream
    stream.close()
    return open_stream(path)
