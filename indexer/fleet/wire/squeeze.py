"""Squeeze what is sent: by zstd where its library is installed, else by gzip."""

from __future__ import annotations

import gzip
from typing import Callable, NamedTuple


class Squeezer(NamedTuple):
    """One way to squeeze a request."""

    name: str
    """Its name in `Content-Encoding`."""
    squeeze: Callable[[bytes], bytes]


def _by_gzip(plain: bytes) -> bytes:
    return gzip.compress(plain, compresslevel=1, mtime=0)


GZIP = Squeezer("gzip", _by_gzip)
"""What everything on the way understands."""


def best_squeezer() -> Squeezer:
    """Return the way that costs least here."""
    try:
        import zstandard
    except ImportError:
        return GZIP
    # A quarter of what gzip takes of the processor, and two thirds of the bytes.
    return Squeezer("zstd", zstandard.ZstdCompressor(level=1).compress)
