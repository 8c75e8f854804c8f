"""Look at the centre every few seconds while a page is open, and say when a host has shipped."""

from __future__ import annotations

import logging

from indexer.fleet.errors import FleetError
from indexer.ui.fleet.readers import FleetReaders
from indexer.ui.live.changes import Change
from indexer.ui.live.watch import Listeners, Watch

logger = logging.getLogger(__name__)

_LONGEST_PAUSE = 30.0


class FleetWatcher(Watch):
    """The thread that looks."""

    def __init__(self, readers: FleetReaders, listeners: Listeners) -> None:
        super().__init__("telemetry-ui-fleet", listeners)
        self._readers = readers
        self._failures = 0

    def _turn(self) -> None:
        self._look()
        self._wakeup.wait(min(_LONGEST_PAUSE, self._readers.pause * 2**self._failures))

    def _rest(self) -> None:
        """Nothing is held."""

    def _end(self) -> None:
        """Nothing is held."""

    def _look(self) -> None:
        try:
            has_changed = self._readers.look()
        except FleetError as error:
            # The pages say so themselves.
            logger.debug("the centre can't be looked at: %s", error)
            self._failures = min(4, self._failures + 1)
            return
        self._failures = 0
        if has_changed:
            self._listeners.publish(Change(None))
