"""The health of the base, looked at in the background and no more often than it changes.

Called by the pages: none of them waits for it, for at a million runs it takes a while.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from typing import Any, Optional

from indexer.health.health import check_health
from indexer.store.connection import reading
from indexer.system.base import Base
from telemetry_core.errors import TelemetryError

logger = logging.getLogger(__name__)

_SECONDS = 10.0


class HealthCheck:
    """What `telemetry status` says, some seconds old at most while somebody looks."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._lock = threading.Lock()
        self._found: Optional[dict[str, Any]] = None
        self._looked_at = float("-inf")
        self._is_looking = False

    def latest(self, patience: float = 0.0) -> Optional[dict[str, Any]]:
        """Return the last result, and look again behind the reader's back if it is old.

        With `patience`, wait so many seconds for a first result. None where there is none.
        """
        thread = self._refresh()
        if self._found is None and thread is not None and patience:
            thread.join(patience)
        return self._found

    def _refresh(self) -> Optional[threading.Thread]:
        with self._lock:
            if self._is_looking or time.monotonic() - self._looked_at < _SECONDS:
                return None
            self._is_looking = True
        thread = threading.Thread(target=self._look, name="telemetry-ui-health", daemon=True)
        thread.start()
        return thread

    def _look(self) -> None:
        try:
            with reading(self._base.database_path) as connection:
                connection.row_factory = sqlite3.Row
                self._found = check_health(self._base, connection).as_json()
        except (TelemetryError, sqlite3.Error, OSError) as error:
            logger.debug("the health can't be looked at: %s", error)
            self._found = None
        finally:
            self._looked_at = time.monotonic()
            self._is_looking = False
