"""Write what the daemon reports about itself, for `telemetry status`.

That it is at work, how far the database is behind the log, and the last error. A daemon with
nothing to do leaves the disk alone: a daemon that hangs matters, and shows, once lines wait for it.
"""

from __future__ import annotations

import logging
import os
import time
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from indexer.database.session import Session
from indexer.ingest.backlog import take_backlog
from indexer.store.status import HEARTBEAT_SECONDS
from indexer.system.base import Base
from indexer.system.sd_notify import Notifier
from telemetry_core.clock import CLOCK
from telemetry_core.process import host_name
from telemetry_core.timestamp import format_time

logger = logging.getLogger(__name__)


class _State(NamedTuple):
    """What is worth a heartbeat when it changes."""

    lag_bytes: int
    watching: int


class Heartbeat:
    """Writes the daemon's state into the database that it has open."""

    def __init__(self, base: Base, notifier: Notifier) -> None:
        self._base = base
        self._notifier = notifier
        self._session: Optional[Session] = None
        self._next_check = 0.0
        self._next_beat = 0.0
        self._written: Optional[_State] = None
        self._has_worked = False
        self._last_error = ""

    def start(self, session: Session) -> None:
        """Write into another session from now on, and that the daemon started."""
        self._session = session
        self._next_check, self._written = 0.0, None
        self._write(started_at=_now(), stopped_at=None)

    def stop(self) -> None:
        """Write that the daemon stopped."""
        if self._session is not None:
            self._write(stopped_at=_now())

    def forget_session(self) -> None:
        """Write nothing more until another session is open."""
        self._session = None

    def after_pass(self, *, has_worked: bool, watching: bool) -> None:
        """Beat if it is time, and check what no event announces. Raises TelemetryError."""
        self._has_worked |= has_worked
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + HEARTBEAT_SECONDS
            self._check(watching)
        elif self._has_worked and now >= self._next_beat:
            self._beat(self._state(watching))

    def note(self, error: object) -> None:
        """Log an error once, and write it into the database if one is open."""
        text = f"{type(error).__name__}: {error}" if isinstance(error, Exception) else str(error)
        if text == self._last_error:
            return
        self._last_error = text
        self._notifier.status(text)
        logger.error("%s", text)
        if self._session is not None:
            try:
                self._write(last_error=text, last_error_at=_now())
            except Exception:
                logger.debug("the error could not be written to the database", exc_info=True)

    def _check(self, watching: bool) -> None:
        session = self._open_session()
        session.refresh_gone_processes()
        state = self._state(watching)
        if self._has_worked or state != self._written:
            self._beat(state)
        session.truncate_large_wal()
        session.check_readers_see_writes()

    def _state(self, watching: bool) -> _State:
        backlog = take_backlog(self._open_session().connection, self._base.log_directory)
        return _State(backlog.lag_bytes, int(watching))

    def _beat(self, state: _State) -> None:
        self._next_beat = time.monotonic() + HEARTBEAT_SECONDS
        self._write(heartbeat=_wall_clock_time(), **state._asdict())
        self._written, self._has_worked = state, False

    def _write(self, **columns: Any) -> None:
        self._open_session().update_status(pid=os.getpid(), host=host_name(), **columns)

    def _open_session(self) -> Session:
        assert self._session is not None, "no session is open"
        return self._session


def _now() -> str:
    return CLOCK.tick().time


def _wall_clock_time() -> str:
    """Return the time that others see: with a clock set back, `_now` would seem alive all day."""
    return format_time(datetime.now(timezone.utc))
