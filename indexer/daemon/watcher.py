"""Watch the log's directory, and wake the daemon when something in it changes.

Nothing depends on it: file system events may be lost, late, or not come at all, and an observer
may die. A failed one is replaced; until then the daemon polls.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Callable, Optional

from watchdog.events import (
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from indexer.system.filesystem import identity, is_shared

RETRY_SECONDS = 10.0
"""How long to poll before trying to get events again."""

# What growth looks like. The kernel is asked for no more: our own reads would wake us for ever.
_GROWTH: list[type[FileSystemEvent]] = [FileCreatedEvent, FileModifiedEvent, FileMovedEvent]


class Watcher:
    """Calls `on_change` from a thread of its own whenever a segment may have grown."""

    def __init__(self, directory: Path, on_change: Callable[[], None]) -> None:
        self._directory = directory
        self._handler = _Handler(on_change)
        self._observer: Optional[BaseObserver] = None
        self._watched = (0, 0)
        self._retry_at = 0.0
        self.problem = ""
        """Why there are no events, empty while there are."""

    def ensure_watching(self) -> bool:
        """Start the observer, or replace one that is dead or watches a directory that is gone.

        Returns whether events are to be expected. Never raises: without events there is polling.
        """
        if self._observer is not None and self._is_well(self._observer):
            return True
        self.stop()
        now = time.monotonic()
        if now < self._retry_at:
            return False
        self._retry_at = now + RETRY_SECONDS
        if is_shared(self._directory):
            self.problem = "the file system is shared and gives no reliable events"
            return False
        return self._start()

    def stop(self) -> None:
        """Stop watching."""
        observer, self._observer = self._observer, None
        if observer is None:
            return
        # Also one that is dead or never began: it has an inotify instance and a thread for it.
        observer.stop()
        if observer.is_alive():
            observer.join(timeout=5.0)

    def _start(self) -> bool:
        try:
            self._observer = observer = Observer()
            observer.daemon = True
            self._watched = identity(self._directory)
            # A link itself would be watched otherwise; and one refusal is not reported.
            directory = os.path.realpath(self._directory)
            with os.scandir(directory):
                observer.schedule(self._handler, directory, event_filter=_GROWTH)
                observer.start()
        except OSError as error:
            # Out of inotify instances or watches, no directory yet, or not permitted.
            self.problem = f"no events: {error}"
            self.stop()
            return False
        self.problem = ""
        self._retry_at = 0.0
        return True

    def _is_well(self, observer: BaseObserver) -> bool:
        # After `rm -rf raw; mkdir raw` the observer lives on, watching a directory without a name.
        return (
            observer.is_alive()
            and all(emitter.is_alive() for emitter in observer.emitters)
            and identity(self._directory) == self._watched
        )


class _Handler(FileSystemEventHandler):
    """Passes every event on: which ones there are was chosen when the watch began."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change

    def dispatch(self, event: FileSystemEvent) -> None:  # noqa: ARG002  # watchdog's
        self._on_change()
