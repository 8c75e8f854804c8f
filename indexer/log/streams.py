"""Open the plain bytes of a segment, however it is compressed.

Offsets count these bytes, so a cursor keeps its meaning when its segment is compressed. A stream
reads in order and never holds more than a chunk.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO, cast

from telemetry_core.errors import TelemetryError

UNFINISHED = "ends in the middle: it is still being compressed, or was cut"

_SKIP_CHUNK = 1024 * 1024
_PACKED_BYTES = 1024
"""Decoded at once: at worst it expands 30,000 times."""


class StreamBroken(TelemetryError):
    """A compressed segment cannot be decoded any further."""

    hint = "Restore the segment from a backup; everything before the damage is indexed"


class StreamUnfinished(TelemetryError):
    """A compressed segment ends in the middle: it is still being written, or was cut."""


class StreamUnsupported(TelemetryError):
    """The library that decodes this kind of segment is not installed."""

    hint = "pip install 'local-telemetry[zstd]'"


def open_stream(path: Path) -> BinaryIO:
    """Open a segment to read its plain bytes. Raises OSError or StreamUnsupported."""
    if path.name.endswith(".gz"):
        # Imported here, as zstandard is: most segments are plain, and it brings more along.
        import gzip

        return cast("BinaryIO", gzip.open(path, "rb"))
    raw = cast("BinaryIO", io.FileIO(path, "rb", opener=_open_without_waiting))
    return _open_zstandard(raw) if path.name.endswith(".zst") else raw


def read_chunk(stream: BinaryIO, size: int) -> bytes:
    """Read up to `size` bytes; empty at the end. Raises StreamBroken, StreamUnfinished, OSError."""
    # `read` of a decoder goes on until it has `size` bytes, and drops them if an error comes
    # first: how much of a cut file is seen would depend on where the reading began.
    read = getattr(stream, "read1", stream.read)
    try:
        return cast("bytes", read(size))
    except EOFError as error:
        raise StreamUnfinished(UNFINISHED) from error
    except (OSError, MemoryError) as error:
        if _is_bad_gzip(error):
            raise StreamBroken(str(error)) from error
        # Else neither says anything about the file.
        raise
    except Exception as error:
        # The libraries' own errors; zstandard's cannot be named where it is not installed.
        raise StreamBroken(str(error)) from error


def _is_bad_gzip(error: Exception) -> bool:
    """Whether it is an OSError by its type only. Who has read a stream of gzip has imported it."""
    gzip = sys.modules.get("gzip")
    return gzip is not None and isinstance(error, gzip.BadGzipFile)


def skip(stream: BinaryIO, count: int) -> bool:
    """Move a stream from its beginning to `count`; return whether it is that long."""
    if isinstance(stream, io.FileIO):
        stream.seek(count)
        return True
    while count > 0:
        chunk = read_chunk(stream, min(count, _SKIP_CHUNK))
        if not chunk:
            return False
        count -= len(chunk)
    return True


def _open_without_waiting(name: str, flags: int) -> int:
    # A FIFO in place of a file must not stop the indexer.
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def _open_zstandard(raw: BinaryIO) -> BinaryIO:
    try:
        import zstandard
    except ImportError as error:
        raw.close()
        raise StreamUnsupported("the zstandard library is not installed") from error
    return cast("BinaryIO", _Zstandard(raw, zstandard.ZstdDecompressor()))


class _Zstandard(io.RawIOBase):
    """The plain bytes of a file of zstandard frames.

    The library's own reader holds back what did not fit into an earlier read, and drops it at the
    end of a file that is still being written: how much was seen depended on how it was read.
    """

    def __init__(self, packed: BinaryIO, decompressor: Any) -> None:
        self._packed = packed
        self._decompressor = decompressor
        self._frame: Any = None
        self._plain = io.BytesIO()

    def read(self, size: int = -1) -> bytes:
        while True:
            plain = self._plain.read(size)
            if plain:
                return plain
            packed = self._packed.read(_PACKED_BYTES)
            if not packed:
                break
            self._plain = io.BytesIO(self._decode(packed))
        if self._frame is not None and not self._frame.eof:
            raise EOFError
        return b""

    def _decode(self, packed: bytes) -> bytes:
        plain = b""
        while packed:
            if self._frame is None or self._frame.eof:
                self._frame = self._decompressor.decompressobj()
            plain += self._frame.decompress(packed)
            packed = self._frame.unused_data
        return plain

    def close(self) -> None:
        self._packed.close()
        super().close()
