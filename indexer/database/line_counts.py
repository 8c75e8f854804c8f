"""What the lines of a segment amount to, counted by `verify` alone."""

from __future__ import annotations

from collections import Counter

from indexer.store.cursors import INDEXED
from indexer.store.events.codec import StoredEvent


class LineCounts:
    """The lines of a segment by outcome, in lines and in bytes."""

    def __init__(self) -> None:
        self.lines: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def move(self, outcome: str, length: int) -> None:
        """Count a line as `outcome` whose bytes were counted as indexed."""
        self.lines[outcome] += 1
        self.bytes[outcome] += length
        self.bytes[INDEXED] -= length


def adds_nothing_to(stored: StoredEvent, row: StoredEvent) -> bool:
    """Whether a line has nothing to add to a stored event."""
    if row.is_known_by_id and stored.type == row.type:
        return stored.content <= row.content
    return stored.content == row.content
