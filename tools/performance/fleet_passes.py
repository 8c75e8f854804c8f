"""Time the passes of a host whose agents go on recording, with a centre to ship to or without.

Called by the section. What ships is what a daemon has: a thread beside the passes, started by
them. So a pass pays for the start of a round, and for sharing the interpreter with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import Optional

from indexer.database.opening import open_or_rebuild
from indexer.fleet.fleet_shipping import FleetShipping
from indexer.fleet.wire.address import FleetAddress
from indexer.system.base import Base
from tools.performance.history import SHAPES, lines_of

EVENTS_A_SECOND = 2_000
_TICK = 0.05
"""Seconds from pass to pass."""
_SECONDS = 6.0
"""Of a block: some rounds of shipping, of which a daemon makes one in two seconds."""


class Passes:
    """One host while its daemon runs."""

    def __init__(self, base: Base, centre: Optional[FleetAddress]) -> None:
        base.log_directory.mkdir(parents=True)
        if centre is not None:
            _configure(base, centre)
        self._session = open_or_rebuild(base)
        self._shipping = FleetShipping(base, lambda: None)
        self._log = (base.log_directory / "events_20261118.ndjson").open("ab", buffering=0)
        self._lines: Iterator[bytes] = lines_of(SHAPES[1], 10**9)
        self.events = 0

    def block(self) -> float:
        """Return the seconds that an event took in the passes of some seconds."""
        spent, before = 0.0, self.events
        ends = time.monotonic() + _SECONDS
        while time.monotonic() < ends:
            lines = list(islice(self._lines, int(EVENTS_A_SECOND * _TICK)))
            self._log.write(b"".join(lines))
            begun = time.perf_counter()
            self._session.run_pass()
            self._shipping.step(self._session)
            taken = time.perf_counter() - begun
            spent += taken
            self.events += len(lines)
            time.sleep(max(0.0, _TICK - taken))
        return spent / (self.events - before)

    def close(self) -> None:
        """End its daemon."""
        self._shipping.stop()
        self._session.close()
        self._log.close()


def _configure(base: Base, centre: FleetAddress) -> None:
    path = base.directory / "config" / "telemetry.toml"
    path.parent.mkdir(parents=True)
    path.write_text(
        "[targets.fleet]\n"
        f'kind = "clickhouse"\nurl = "{centre.url}"\ndatabase = "{centre.database}"\n'
        "content = true\n",
        encoding="utf-8",
    )
