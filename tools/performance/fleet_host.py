"""Index and ship one host's log as its daemon does, and tell what each took of the processor.

Called by the simulation and by the section, in their own process.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from indexer.database.freshness import index_once
from indexer.fleet.errors import FleetError
from indexer.fleet.shipping.content import Withholding
from indexer.fleet.shipping.round import Shipping
from indexer.fleet.shipping.state import load_state
from indexer.fleet.wire.client import FleetClient
from indexer.system.base import Base

TARGET = "fleet"


class Work(NamedTuple):
    """What was done, and what it took."""

    lines: int
    processor: float
    """Seconds of this process's processor."""
    wall: float
    """Seconds, waiting for the server included."""


def index(base: Base) -> Work:
    """Make one pass over the log."""
    begun, at = time.process_time(), time.monotonic()
    lines = sum(index_once(base).lines.values())
    return Work(lines, time.process_time() - begun, time.monotonic() - at)


def ship(base: Base, client: FleetClient) -> Work:
    """Ship all that is new, as far as the centre takes it."""
    begun, at = time.process_time(), time.monotonic()
    lines = _ship(base, client)
    return Work(lines, time.process_time() - begun, time.monotonic() - at)


def _ship(base: Base, client: FleetClient) -> int:
    state = load_state(base, TARGET, client.address)
    shipping = Shipping(base, client, state, Withholding(ships_content=True))
    lines = 0
    try:
        while True:
            done = shipping.ship_round()
            lines += done.lines
            if done.is_last:
                return lines
    except FleetError:
        # The centre is away: the next turn sends it.
        return lines
