"""Compress the plain bytes of a segment into another file, and prove that it has them.

It deletes nothing and knows no names of segments.
"""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, Optional, cast

from indexer.log.streams import (
    StreamBroken,
    StreamUnfinished,
    StreamUnsupported,
    open_stream,
    read_chunk,
)
from indexer.system.callbacks import Progress, no_progress
from indexer.system.file_changes import delete

GZIP, ZSTD = ".gz", ".zst"

_CHUNK = 1024 * 1024
_GZIP_LEVEL = 6
_ZSTD_LEVEL = 9


def default_compression() -> str:
    """Return the compression to use by default: zstd where its library is installed, else gzip."""
    return ZSTD if find_spec("zstandard") else GZIP


def compress(
    source: Path,
    start: int,
    target: BinaryIO,
    compression: str,
    on_chunk: Progress = no_progress,
) -> int:
    """Append `source`, compressed, from `start` on to `target`; return where it ended, synced.

    What is appended is a gzip member or zstd frame of its own: readers read on across them.
    `on_chunk` gets the plain bytes of each chunk. Raises OSError or StreamUnsupported.
    """
    with open(source, "rb") as plain, closing(_compressor(target, compression)) as packer:
        # Up to what it has now: a segment that grows as fast as it is read has an end too.
        end = os.fstat(plain.fileno()).st_size
        plain.seek(start)
        while start < end and (chunk := plain.read(min(_CHUNK, end - start))):
            packer.write(chunk)
            start += len(chunk)
            on_chunk(len(chunk))
    target.flush()
    os.fsync(target.fileno())
    return start


def length_of_beginning(whole: Path, beginning: Path) -> Optional[int]:
    """Return how many plain bytes `beginning` has if `whole` begins with them, else None.

    Either may be compressed; one that cannot be decoded to its end proves nothing. Raises OSError.
    """
    try:
        return _compare(_chunks(whole), _chunks(beginning))
    except (StreamBroken, StreamUnfinished, StreamUnsupported):
        return None


def _compressor(target: BinaryIO, compression: str) -> BinaryIO:
    if compression == GZIP:
        # Neither name nor time: the same bytes make the same file.
        return cast("BinaryIO", gzip.GzipFile("", "wb", _GZIP_LEVEL, target, mtime=0))
    try:
        import zstandard
    except ImportError as error:
        raise StreamUnsupported("the zstandard library is not installed") from error
    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
    return cast("BinaryIO", compressor.stream_writer(target, closefd=False))


def _compare(whole: Iterator[bytes], beginning: Iterator[bytes]) -> Optional[int]:
    length = 0
    held = b""
    for wanted in beginning:
        length += len(wanted)
        while len(held) < len(wanted):
            more = next(whole, b"")
            if not more:
                return None
            held += more
        if held[: len(wanted)] != wanted:
            return None
        held = held[len(wanted) :]
    for _ in whole:
        # A checksum at its end covers all of it.
        pass
    return length


def _chunks(path: Path) -> Iterator[bytes]:
    with closing(open_stream(path)) as stream:
        while chunk := read_chunk(stream, _CHUNK):
            yield chunk


def new_file(path: Path, like: Optional[os.stat_result] = None) -> BinaryIO:
    """Open a new file for writing, 0600, or with owner and mode of another. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        if sys.platform != "win32" and like is not None:
            if (like.st_uid, like.st_gid) != (os.getuid(), os.getgid()):
                os.fchown(fd, like.st_uid, like.st_gid)
            os.fchmod(fd, like.st_mode & 0o777)
    except BaseException:
        os.close(fd)
        delete(path)
        raise
    return open(fd, "wb")
