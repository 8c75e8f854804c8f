"""Ask the centre what it has of some runs, and of our own segments.

Asked after a batch was inserted: whoever ships last sees what all have shipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, Optional

from indexer.fleet.schema.layout import in_list, text
from indexer.fleet.schema.tables import EVENT_ROWS, LOG_LINES
from indexer.fleet.wire.client import FleetClient
from indexer.ingest.fold import ACTIVITY, CHANGES
from indexer.semantics.event_types import FOREIGN_EVENTS
from indexer.semantics.run_ids import UNASSIGNED

AT_ONCE = 500
"""Runs in one question."""

RELEVANT = (
    f"(type IN ({in_list(sorted(ACTIVITY | CHANGES))})"
    f" OR (type IN ({in_list(sorted(FOREIGN_EVENTS))}) AND run_id <> {text(UNASSIGNED)}))"
)
"""The events that have a say in a run's rows: other programs' records that belong to no run have
none."""


class Known(NamedTuple):
    """What the centre has of one run."""

    nodes: int
    """How many nodes have shipped events of it."""
    events: int
    """How many of its events have a say in its rows."""
    is_disputed: bool
    """Whether different events claim one id."""


class KnownEnd(NamedTuple):
    """Where what the centre has of one segment ends."""

    end: int
    offset: int
    """Where its last line begins."""
    crc: int
    """The check sum of that line."""


def ask_about_runs(client: FleetClient, run_ids: Sequence[str]) -> dict[str, Known]:
    """Return what the centre has of some runs. Raises FleetError."""
    known: dict[str, Known] = {}
    for some in chunks(run_ids):
        _, rows = client.select(
            f"SELECT run_id, uniqExact(node), uniqExactIf((event_id, mark), {RELEVANT}),"
            " uniqExact(event_id) <> uniqExact((event_id, mark))"
            f" FROM {EVENT_ROWS} WHERE run_id IN ({in_list(some)}) GROUP BY run_id"
        )
        for run_id, nodes, events, is_disputed in rows:
            known[run_id] = Known(int(nodes), int(events), bool(is_disputed))
    return known


def gapless_ends(
    client: FleetClient, node: str, segment: Optional[int] = None
) -> dict[int, KnownEnd]:
    """Return how far the centre has our segments without a gap: one of them, or all.

    Raises FleetError.
    """
    which = "" if segment is None else f" AND segment = {segment}"
    _, rows = client.select(
        "SELECT segment, sum(length) AS total, max(offset + length) AS end, max(offset) AS last,"
        " argMax(crc, offset)"
        f" FROM {LOG_LINES} FINAL WHERE node = {text(node)}{which} GROUP BY segment"
        # Where something is missing in between, or one place has two contents, all is sent again.
        " HAVING total = end"
    )
    return {int(row[0]): KnownEnd(int(row[2]), int(row[3]), int(row[4])) for row in rows}


def chunks(run_ids: Iterable[str], size: int = AT_ONCE) -> Iterator[list[str]]:
    """Yield some ids at a time."""
    remaining = iter(run_ids)
    while some := list(islice(remaining, size)):
        yield some
