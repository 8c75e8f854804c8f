"""Look at the database, in a thread, when something may have been committed.

Called by the stream. It looks when the file system hints at a commit, and four times a second
while anybody listens; when nobody does, it sleeps without a timer.
"""

from __future__ import annotations

import logging
import sqlite3
import time

from indexer.daemon.watcher import Watcher
from indexer.errors import DatabaseUnusable
from indexer.system.base import Base
from indexer.ui.live.changes import ChangeFinder
from indexer.ui.live.watch import Listeners, Watch

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.25
# The hint comes from the write to the write-ahead log, before its commit can be seen.
_LOOKS_AFTER_WAKEUP = (0.0, 0.002, 0.01, 0.05)
_LAG_SECONDS = 5.0


class DatabaseWatcher(Watch):
    """The thread that looks."""

    def __init__(self, base: Base, listeners: Listeners) -> None:
        super().__init__("telemetry-ui-watch", listeners)
        self._base = base
        self._finder = ChangeFinder(base.database_path, base.log_directory)
        self._hints = Watcher(base.database_path.parent, self._wakeup.set)
        self._next_lag = 0.0

    def _turn(self) -> None:
        self._hints.ensure_watching()
        self._look_again(self._wakeup.wait(_POLL_SECONDS))
        self._look_at_lag()

    def _rest(self) -> None:
        self._hints.stop()

    def _end(self) -> None:
        self._hints.stop()
        self._finder.close()

    def _look_again(self, was_hinted: bool) -> None:
        for pause in _LOOKS_AFTER_WAKEUP if was_hinted else (0.0,):
            time.sleep(pause)
            if self._is_closing or self._publish():
                return

    def _publish(self) -> bool:
        """Look once; return whether there was anything."""
        try:
            change = self._finder.look()
        except (DatabaseUnusable, sqlite3.Error, OSError) as error:
            # Being rebuilt, or gone: the pages say so themselves, and the next look may do.
            logger.debug("the database can't be looked at: %s", error)
            self._finder.close()
            return False
        if change is None:
            return False
        self._listeners.publish(change)
        return True

    def _look_at_lag(self) -> None:
        now = time.monotonic()
        if now >= self._next_lag:
            self._next_lag = now + _LAG_SECONDS
            self._listeners.publish_asleep(not self._base.daemon())
