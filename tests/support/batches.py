"""Batches so small that a few lines make many of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from indexer import batch, reading

_CHUNK_BYTES = 16


@contextmanager
def small_batches(lines: int) -> Iterator[None]:
    """Have a pass read a line or less at a time, and commit after so many events."""
    batches = mock.patch.object(batch, "MAX_LINES", lines)
    with batches, mock.patch.object(reading, "CHUNK_BYTES", _CHUNK_BYTES):
        yield
