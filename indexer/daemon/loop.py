"""The daemon: passes over the log for as long as it lives.

Called by `telemetry index --watch`. It waits for a hint or for the poll interval, whichever
comes first, and looks. Whatever goes wrong is noted, shown in the status, and tried again;
SIGTERM and SIGINT end it after the batch it is in.
"""

from __future__ import annotations

# Not used here: others import it when they need it, and a daemon may have no descriptors left to
# read it by then, or be another user who may not.
import hashlib  # noqa: F401
import logging
import os
import time
from datetime import datetime, timezone
from typing import Any, Optional

from indexer.daemon.ending import asked_to_end
from indexer.daemon.watcher import RETRY_SECONDS, Watcher
from indexer.daemon.ways_in import Address, WaysIn
from indexer.database.opening import open_or_rebuild
from indexer.database.rebuild import rebuild
from indexer.database.session import Session
from indexer.errors import AlreadyRunning, DatabaseDamaged, Interrupted
from indexer.forward.forwarding import Forwarding
from indexer.ingest.backlog import take_backlog
from indexer.retention.schedule import RetentionSchedule
from indexer.store.status import HEARTBEAT_SECONDS
from indexer.system.base import DAEMON, Base
from indexer.system.lease import PAUSE_SECONDS
from indexer.system.sd_notify import Notifier
from indexer.system.wakeup import Wakeup
from telemetry_core.clock import CLOCK
from telemetry_core.process import host_name
from telemetry_core.storage import make_directory
from telemetry_core.timestamp import format_time

logger = logging.getLogger(__name__)

_LONGEST_BACKOFF = 30.0


class Daemon:
    """The long-running indexer of one base."""

    def __init__(self, base: Base, address: Optional[Address] = None) -> None:
        """Index one base, and receive at `address`, or where the base's settings say so."""
        self._base = base
        self._wakeup = Wakeup()
        self._stopping = False
        self._lease = base.indexer_lease(DAEMON)
        self._view: Optional[Session] = None
        self._watch = Watcher(base.log_directory, self._wakeup.set)
        self._notifier = Notifier()
        self._retention = RetentionSchedule(base, self._should_stop)
        self._ways_in = WaysIn(base, self._should_stop, address)
        self._next_look = 0.0
        self._forwarding = Forwarding(base, self._wakeup.set)
        self._next_heartbeat = 0.0
        self._told: dict[str, int] = {}
        self._has_worked = False
        self._failures = 0
        self._last_error = ""

    def run(self) -> None:
        """Index until told to stop. Raises AlreadyRunning if somebody else does already."""
        try:
            with self._lease, asked_to_end(self.stop, self._wakeup):
                self._ways_in.start()
                logger.info("indexing %s", self._base.log_directory)
                self._loop()
        finally:
            self._wakeup.close()
        logger.info("stopped")

    def _loop(self) -> None:
        try:
            while not self._stopping:
                self._try_pass()
                self._wait()
        finally:
            self._notifier.stopping()
            self._ways_in.stop()
            self._watch.stop()
            self._forwarding.stop(self._view)
            self._leave()

    def stop(self) -> None:
        """Have `run` return soon. Callable from anywhere, signal handlers included."""
        self._stopping = True
        self._wakeup.set()

    def _should_stop(self) -> bool:
        # Asked between batches: that it is asked is what shows that the work goes on.
        self._notifier.alive()
        return self._stopping

    def _wait(self) -> None:
        if self._stopping:
            return
        if self._failures:
            # Not at every hint: what fails at once would fail a thousand times a second.
            time.sleep(min(0.1 * 2**self._failures, 1.0))
            pause = min(self._base.config.poll_interval * self._failures, _LONGEST_BACKOFF)
        else:
            if self._base.write_lease().is_wanted():
                # Passes without a pause between them would keep others from it.
                time.sleep(2 * PAUSE_SECONDS)
            interval = self._base.config.poll_interval
            pause = min(interval, RETRY_SECONDS) if self._watch.problem else interval
        # A loop that waits is alive, and says so by the next pass.
        waits = (self._notifier.interval, self._forwarding.wait, self._ways_in.wait)
        self._wakeup.wait(min(pause, *waits))

    def _try_pass(self) -> None:
        if self._notifier.is_ready:
            self._notifier.alive()
        try:
            self._pass()
        except DatabaseDamaged as error:
            self._note(error)
            self._drop_view()
            self._try_rebuild()
        except Interrupted:
            logger.info("told to stop while rebuilding; the old view stands")
        except Exception as error:
            self._note(error)
            self._drop_view()
        else:
            self._failures = 0
            self._notifier.ready()
            self._notifier.status(f"indexing {self._base.log_directory}")
            self._keep()

    def _keep(self) -> None:
        """See to old days, and to what is imported; what fails there ends nothing."""
        try:
            for problem in (*self._retention.run_due(), *self._ways_in.step()):
                self._note(problem)
        except Exception as error:
            self._note(error)

    def _pass(self) -> None:
        self._keep_lease()
        if not os.path.isdir(self._base.log_directory):
            make_directory(self._base.log_directory)
        # Before the look, so that nothing comes between the two unseen.
        self._watch.look_after()
        if self._view is not None and not self._view.is_in_place():
            logger.warning("%s was deleted or replaced", self._base.database_path)
            self._drop_view()
        view = self._view or self._open_view()
        result = view.run_pass()
        for problem in result.problems:
            self._note(problem)
        self._has_worked |= bool(result.read_bytes or result.problems)
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + HEARTBEAT_SECONDS
            self._look_after(view)
        elif self._has_worked and now >= self._next_heartbeat:
            self._beat(view, self._state(view))
        self._forwarding.step(view)

    def _keep_lease(self) -> None:
        """Hold the lease still, though its file was deleted; stop if somebody else has it now."""
        try:
            self._lease.renew()
        except AlreadyRunning:
            self.stop()
            raise

    def _open_view(self) -> Session:
        self._view = open_or_rebuild(self._base, should_stop=self._should_stop)
        self._next_look, self._told = 0.0, {}
        self._write(self._view, started_at=_now(), stopped_at=None)
        return self._view

    def _try_rebuild(self) -> None:
        try:
            rebuild(self._base, should_stop=self._should_stop)
        except Exception as error:
            self._note(error)

    def _look_after(self, view: Session) -> None:
        """See to what no event tells of, and say that all is well if there was anything to do."""
        view.refresh_gone_processes()
        state = self._state(view)
        # Who has nothing to do leaves the disk alone: a daemon that hangs matters, and shows,
        # once lines wait for it.
        if self._has_worked or state != self._told:
            self._beat(view, state)
        view.truncate_large_wal()
        view.check_readers_see_writes()

    def _state(self, view: Session) -> dict[str, int]:
        return {
            "lag_bytes": take_backlog(view.connection, self._base.log_directory).lag_bytes,
            "watching": int(not self._watch.problem),
        }

    def _beat(self, view: Session, state: dict[str, int]) -> None:
        """Say in the database that the work goes on, and how far behind the log it is."""
        self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS
        self._write(view, heartbeat=_time_on_the_wall(), **state)
        self._told, self._has_worked = state, False

    def _write(self, view: Session, **columns: Any) -> None:
        view.update_status(pid=os.getpid(), host=host_name(), **columns)

    def _note(self, error: object) -> None:
        """Log an error once, and show it in the status where there is one to write to."""
        self._failures = min(self._failures + 1, 10) if isinstance(error, Exception) else 0
        text = f"{type(error).__name__}: {error}" if isinstance(error, Exception) else str(error)
        if text == self._last_error:
            return
        self._last_error = text
        self._notifier.status(text)
        logger.error("%s", text)
        if self._view is not None:
            try:
                self._write(self._view, last_error=text, last_error_at=_now())
            except Exception:
                logger.debug("the error could not be written to the database", exc_info=True)

    def _drop_view(self) -> None:
        view, self._view = self._view, None
        if view is not None:
            view.close()

    def _leave(self) -> None:
        if self._view is not None:
            try:
                self._write(self._view, stopped_at=_now())
            except Exception as error:
                self._note(error)
        self._drop_view()


def _now() -> str:
    return CLOCK.tick().time


def _time_on_the_wall() -> str:
    """The time that others see: set back by a day, `_now` would seem to be alive all that day."""
    return format_time(datetime.now(timezone.utc))
