"""Remember how far each segment was shipped to one target, in a file beside the database.

Losing the file costs a question to the centre, or lines that are sent a second time: their keys
make them the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from indexer.fleet.wire.address import FleetAddress
from indexer.log.cursor import Cursor
from indexer.system.atomic_file import write_atomically
from indexer.system.base import Base
from telemetry_core.storage import make_directory


class ShippedSegment(NamedTuple):
    """How far one segment was shipped."""

    segment: int
    """Its number in the centre."""
    cursor: Cursor


@dataclass
class ShippingState:
    """What one target has of this base's log, as far as this host knows."""

    path: Path
    centre: str
    """Which database of which server this is about."""
    node: str = ""
    """As which node this base shipped; empty until it has."""
    shipped: int = 0
    """Rises with every shipment: what the centre's list of nodes has of us."""
    segments: dict[str, ShippedSegment] = field(default_factory=dict)
    redactions: set[str] = field(default_factory=set)
    """Receipts of redactions that were carried out in the centre."""
    is_known: bool = False
    """Whether there was a file: without one, the centre is asked what it has."""

    def offsets(self) -> dict[str, int]:
        """Return how far each segment was shipped, by name."""
        return {name: one.cursor.offset for name, one in self.segments.items()}

    def save(self) -> None:
        """Write the file. Raises OSError."""
        value = {
            "centre": self.centre,
            "node": self.node,
            "shipped": self.shipped,
            "redactions": sorted(self.redactions),
            "segments": [[one.segment, *one.cursor] for one in self.segments.values()],
        }
        make_directory(self.path.parent)
        # Lost in a power cut, it is made anew from what the centre has.
        write_atomically(self.path, orjson.dumps(value), durable=False)
        self.is_known = True


def load_state(base: Base, target: str, address: FleetAddress) -> ShippingState:
    """Return what is known of a target; nothing where the file is gone, broken or of another."""
    path = base.database_path.parent / f"fleet-{target}.json"
    centre = f"{address.url} {address.database}"
    try:
        value = orjson.loads(path.read_bytes())
        if value["centre"] == centre:
            return _state_of(path, centre, value)
    except (OSError, ValueError, LookupError, TypeError):
        # Whatever is wrong with it, the centre knows better.
        pass
    return ShippingState(path, centre)


def _state_of(path: Path, centre: str, value: dict[str, Any]) -> ShippingState:
    segments = [ShippedSegment(one[0], Cursor(*one[1:])) for one in value["segments"]]
    return ShippingState(
        path,
        centre,
        str(value["node"]),
        int(value["shipped"]),
        {one.cursor.name: one for one in segments},
        set(value["redactions"]),
        is_known=True,
    )
