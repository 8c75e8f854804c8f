"""Index and ship one host's log as its daemon does, and tell what each took of the processor.

Called by the simulation and by the section, in their own process.
"""

from __future__ import annotations

import resource
import time
from typing import NamedTuple, Optional

from indexer.database.opening import open_or_rebuild
from indexer.database.session import Session
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


class Host:
    """A host while its daemon runs: what a pass or a round learnt is there for the next."""

    def __init__(self, base: Base, client: FleetClient) -> None:
        self.base = base
        self._client = client
        self._session: Optional[Session] = None
        self._shipping: Optional[Shipping] = None

    def index(self) -> Work:
        """Make one pass over the log."""
        session = self._session or open_or_rebuild(self.base)
        self._session = session
        begun, at = time.process_time(), time.monotonic()
        lines = sum(session.run_pass().lines.values())
        return Work(lines, time.process_time() - begun, time.monotonic() - at)

    def ship(self) -> Work:
        """Ship all that is new, as far as the centre takes it."""
        begun, at = time.process_time(), time.monotonic()
        lines = self._ship()
        return Work(lines, time.process_time() - begun, time.monotonic() - at)

    def close(self) -> None:
        """End its daemon."""
        if self._session is not None:
            self._session.close()
        self._session = self._shipping = None

    def _ship(self) -> int:
        lines = 0
        try:
            while True:
                shipping = self._shipping or self._begin()
                done = shipping.ship_round()
                lines += done.lines
                if done.is_last:
                    return lines
        except FleetError:
            # The centre is away: the next turn sends it.
            self._shipping = None
            return lines

    def _begin(self) -> Shipping:
        state = load_state(self.base, TARGET, self._client.address)
        withholding = Withholding(ships_content=True)
        self._shipping = Shipping(self.base, self._client, state, withholding)
        return self._shipping


def peak_bytes() -> int:
    """Return the most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
