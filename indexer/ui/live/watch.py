"""A thread that looks for changes while anybody listens, and sleeps when nobody does."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Protocol

from indexer.system.wakeup import Wakeup
from indexer.ui.live.changes import Change

# As good as for ever.
_DAY_SECONDS = 86_400.0
_CLOSING_SECONDS = 5.0


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


class Watch(ABC):
    """The thread. It begins when somebody listens for the first time."""

    def __init__(self, name: str, listeners: Listeners) -> None:
        """Begin nothing yet; `name` is the thread's."""
        self._listeners = listeners
        self._wakeup = Wakeup()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
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
            self._thread.join(_CLOSING_SECONDS)
        self._wakeup.close()

    def _run(self) -> None:
        try:
            while not self._is_closing:
                if self._listeners.is_listened_to:
                    self._turn()
                else:
                    self._rest()
                    self._wakeup.wait(_DAY_SECONDS)
        finally:
            self._end()

    @abstractmethod
    def _turn(self) -> None:
        """Look, and wait until it is time to look again."""

    @abstractmethod
    def _rest(self) -> None:
        """Let go of what is not needed while nobody listens."""

    @abstractmethod
    def _end(self) -> None:
        """Let go of everything."""
