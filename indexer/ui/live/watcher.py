"""Look at the database, in a thread, when something may have been committed.

Called by the stream. It looks when the file system hints at a commit, and four times a second
while anybody listens; when nobody does, it sleeps without a timer.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from typing import Protocol

from indexer.daemon.watcher import Watcher
from indexer.errors import DatabaseUnusable
from indexer.system.base import Base
from indexer.system.wakeup import Wakeup
from indexer.ui.live.changes import Change, ChangeFinder

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.25
# The hint comes from the write to the write-ahead log, before its commit can be seen.
_LOOKS_AFTER_WAKEUP = (0.0, 0.002, 0.01, 0.05)
_LAG_SECONDS = 5.0
# As good as for ever.
_DAY_SECONDS = 86_400.0


class Listeners(Protocol):
    """Who is notified."""

    @property
    def is_listened_to(self) -> bool:
        """Whether anybody is connected."""
        ...

    def publish(self, change: Change) -> None:
        """Tell what changed."""

    def publish_asleep(self, is_asleep: bool) -> None:
        """Tell whether nobody indexes."""


class Watch(Protocol):
    """What looks for changes."""

    def wake(self) -> None:
        """Begin to look, for somebody listens now."""

    def close(self) -> None:
        """Stop looking."""


class DatabaseWatcher:
    """The thread that looks."""

    def __init__(self, base: Base, listeners: Listeners) -> None:
        self._base = base
        self._listeners = listeners
        self._wakeup = Wakeup()
        self._finder = ChangeFinder(base.database_path, base.log_directory)
        self._watch = Watcher(base.database_path.parent, self._wakeup.set)
        self._is_closing = False
        self._next_lag = 0.0
        self._thread = threading.Thread(target=self._run, name="telemetry-ui-watch", daemon=True)
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
        if self._has_begun:
            self._wakeup.set()
            self._thread.join(5.0)
        self._wakeup.close()

    def _run(self) -> None:
        try:
            while not self._is_closing:
                self._turn()
        finally:
            self._watch.stop()
            self._finder.close()

    def _turn(self) -> None:
        if self._listeners.is_listened_to:
            self._watch.ensure_watching()
            self._look_again(self._wakeup.wait(_POLL_SECONDS))
            self._look_at_lag()
        else:
            self._watch.stop()
            self._wakeup.wait(_DAY_SECONDS)

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
