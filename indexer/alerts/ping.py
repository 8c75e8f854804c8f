"""Fetch an address at an interval, while the daemon works.

A service in the manner of Healthchecks notices when that ends, and so the machine itself is
watched. The request is made in a thread of its own: nothing waits for it.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import Optional

from indexer.alerts.settings.heartbeat import HeartbeatSettings

logger = logging.getLogger(__name__)

_TIMEOUT = 10.0


class Ping:
    """The pings of one daemon; none without settings."""

    def __init__(self, settings: Optional[HeartbeatSettings]) -> None:
        self._settings = settings
        self._next = 0.0
        self._thread: Optional[threading.Thread] = None
        self._has_failed = False

    @property
    def wait(self) -> float:
        """In how many seconds it is due again."""
        return math.inf if self._settings is None else max(0.0, self._next - time.monotonic())

    def step(self) -> None:
        """Send it if it is due and none is under way. Called while all is well; raises nothing."""
        if self._settings is None or self.wait > 0:
            return
        self._next = time.monotonic() + self._settings.every.total_seconds()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._send, name="heartbeat", daemon=True)
            self._thread.start()

    def _send(self) -> None:
        # Imported here: most daemons send none.
        import httpx

        try:
            assert self._settings is not None
            httpx.get(self._settings.url, timeout=_TIMEOUT).raise_for_status()
        except Exception as error:
            if not self._has_failed:
                # Its name, for the address may be a secret.
                logger.warning("the heartbeat could not be sent: %s", type(error).__name__)
            self._has_failed = True
        else:
            self._has_failed = False
