"""Batches so small that a few lines make many of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from indexer.ingest import batch
from indexer.log import reader as reading


@contextmanager
def small_batches(lines: int, chunk_bytes: int = 16) -> Iterator[None]:
    """Have a pass commit after so many events, and read a line or less of them at a time."""
    batches = mock.patch.object(batch, "MAX_LINES", lines)
    with batches, mock.patch.object(reading, "CHUNK_BYTES", chunk_bytes):
        yield
