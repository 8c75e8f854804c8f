"""Look at the centre every few seconds while a page is open, and say when a host has shipped.

A thread, as the watch of a database; without a page it sleeps and asks nothing.
"""

from __future__ import annotations

import logging
import threading

from indexer.fleet.errors import FleetError
from indexer.ui.fleet.readers import FleetReaders
from indexer.ui.live.changes import Change
from indexer.ui.live.watcher import Listeners

logger = logging.getLogger(__name__)

_LONGEST_PAUSE = 30.0


class FleetWatcher:
    """The thread that looks."""

    def __init__(self, readers: FleetReaders, listeners: Listeners) -> None:
        self._readers = readers
        self._listeners = listeners
        self._wakeup = threading.Event()
        self._is_closing = False
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="telemetry-ui-fleet", daemon=True)
        self._has_begun = False

    def wake(self) -> None:
        """Begin to look, for somebody listens now."""
        if not self._has_begun:
            self._has_begun = True
            self._thread.start()
        self._wakeup.set()

    def close(self) -> None:
        """Stop looking."""
        self._is_closing = True
        self._wakeup.set()
        if self._has_begun:
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self._is_closing:
            if not self._listeners.is_listened_to:
                self._wakeup.wait()
                self._wakeup.clear()
                continue
            self._look()
            pause = min(_LONGEST_PAUSE, self._readers.pause * 2**self._failures)
            self._wakeup.wait(pause)
            self._wakeup.clear()

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
