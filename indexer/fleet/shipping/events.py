"""Make the centre's columns of events from rows as they are decoded or stored. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Optional

from indexer.fleet.shipping.content import Withholding
from indexer.fleet.shipping.segment_id import SegmentId
from indexer.fleet.wire.native import Columns
from indexer.log.segments import fingerprint, fingerprints
from indexer.store.events.codec import EventRow, StoredEvent, is_known_by_id


def event_columns(
    rows: Sequence[EventRow], node: str, segment: SegmentId, withholding: Withholding
) -> Columns:
    """Return events of one segment as they are sent; there is one at least.

    What says that two events are the same is made of all that an event says, shipped or not.
    """
    run_ids, event_ids, event_types, times, kinds, sources, payloads, extras, *places = zip(*rows)
    contents = contents_of(zip(times, kinds, sources, event_types, payloads, extras))
    marks = _marks(kinds, contents)
    if not withholding.ships_content:
        payloads, extras = zip(*(withholding.event(StoredEvent._make(row)) for row in rows))
    said = (event_types, times, kinds, sources, payloads, extras)
    of_segment = ([value] * len(rows) for value in (node, segment.number, segment.day))
    return [run_ids, event_ids, contents, marks, *said, *places, *of_segment]


Said = tuple[str, str, str, str, Optional[str], Optional[str]]
"""Time, type, source, event type, payload and extensions of an event."""


def contents_of(said: Iterable[Said]) -> list[str]:
    """Return the hash of all that each event says, by the rule for two contents of one id.

    The texts are those of `StoredEvent.content`, made for many events at a third of the cost.
    """
    texts = [
        f"{time}\n{kind}\n{source}\n{event_type}\n{payload or ''}\n{extra or ''}"
        for time, kind, source, event_type, payload, extra in said
    ]
    return fingerprints(map(str.encode, texts))


def _marks(kinds: Sequence[str], contents: list[str]) -> list[str]:
    """Return what two events of one id differ in, where they are different events."""
    by_id = {kind: fingerprint(kind.encode()) for kind in set(kinds) if is_known_by_id(kind)}
    if not by_id:
        return contents
    return [by_id.get(kind, content) for kind, content in zip(kinds, contents)]
