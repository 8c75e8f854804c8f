"""What the application needs to serve a fleet in place of one host."""

from __future__ import annotations

from typing import Optional

from indexer.system.base import Base
from indexer.ui.fleet.readers import FleetReaders
from indexer.ui.fleet.watcher import FleetWatcher
from indexer.ui.live.stream import Stream
from indexer.ui.site import NoHealth, Source


def fleet_source(base: Base, name: Optional[str]) -> Source:
    """Return the centre of a target, or of the only one. Raises FleetError."""
    readers = FleetReaders(base, name)
    stream = Stream(lambda listeners: FleetWatcher(readers, listeners))
    return Source(readers, stream, NoHealth())
