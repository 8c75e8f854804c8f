"""Run passes over the log until the daemon is asked to stop.

It waits to be woken up or for the poll interval, whichever comes first, and makes a pass. Whatever
fails is logged, shown in the status, and tried again; SIGTERM and SIGINT end it after the batch it
is in.
"""

from __future__ import annotations

# Not used here: others import it when they need it, and a daemon may have no descriptors left to
# read it by then, or be another user who may not.
import hashlib  # noqa: F401
import logging
import os
import time
from typing import Optional

from indexer.alerts.alerting import Alerting
from indexer.alerts.evaluation import Problems
from indexer.alerts.ping import Ping
from indexer.daemon.ending import asked_to_end
from indexer.daemon.heartbeat import Heartbeat
from indexer.daemon.watcher import RETRY_SECONDS, Watcher
from indexer.daemon.ways_in import Address, WaysIn
from indexer.database.opening import open_or_rebuild
from indexer.database.rebuild import rebuild
from indexer.database.session import Session
from indexer.errors import AlreadyRunning, DatabaseDamaged, Interrupted
from indexer.fleet.fleet_shipping import FleetShipping
from indexer.forward.forwarding import Forwarding
from indexer.retention.schedule import RetentionSchedule
from indexer.system.base import DAEMON, Base
from indexer.system.lease import PAUSE_SECONDS
from indexer.system.sd_notify import Notifier
from indexer.system.wakeup import Wakeup
from telemetry_core.storage import make_directory

logger = logging.getLogger(__name__)

_LONGEST_BACKOFF = 30.0
_MOST_FAILURES = 10
"""More of them make no pause longer."""


class Daemon:
    """The long-running indexer of one base."""

    def __init__(
        self,
        base: Base,
        address: Optional[Address] = None,
        problems: Problems = lambda _: (),
    ) -> None:
        """Index one base, and receive at `address`, or where the base's settings say so.

        `problems` says what makes the status degraded, for alert rules on it.
        """
        self._base = base
        self._wakeup = Wakeup()
        self._stopping = False
        self._lease = base.indexer_lease(DAEMON)
        self._session: Optional[Session] = None
        self._watcher = Watcher(base.log_directory, self._wakeup.set)
        self._notifier = Notifier()
        self._heartbeat = Heartbeat(base, self._notifier)
        self._retention = RetentionSchedule(base, self._should_stop)
        self._ways_in = WaysIn(base, self._should_stop, address)
        self._alerting = Alerting(base, problems)
        self._ping = Ping(self._alerting.settings.heartbeat)
        channels = self._alerting.settings.channels
        self._forwarding = Forwarding(base, self._wakeup.set, channels)
        self._fleet = FleetShipping(base, self._wakeup.set)
        self._failures = 0

    def run(self) -> None:
        """Index until asked to stop. Raises AlreadyRunning if another process indexes the base."""
        try:
            with asked_to_end(self.stop, self._wakeup), self._lease:
                self._ways_in.start()
                logger.info("indexing %s", self._base.log_directory)
                self._loop()
        finally:
            self._wakeup.close()
        logger.info("stopped")

    def stop(self) -> None:
        """Have `run` return soon. Callable from anywhere, signal handlers included."""
        self._stopping = True
        self._wakeup.set()

    def _loop(self) -> None:
        try:
            while not self._stopping:
                self._try_pass()
                self._wait()
        finally:
            self._notifier.stopping()
            self._ways_in.stop()
            self._watcher.stop()
            self._forwarding.stop(self._session)
            self._fleet.stop()
            self._alerting.close()
            self._leave()

    def _should_stop(self) -> bool:
        # Asked between batches: that it is asked shows that the work goes on.
        self._notifier.alive()
        return self._stopping

    def _wait(self) -> None:
        if self._stopping:
            return
        if self._failures:
            # Not each time it is woken up: what fails at once would fail a thousand times a second.
            time.sleep(min(0.1 * 2**self._failures, 1.0))
            pause = min(self._base.config.poll_interval * self._failures, _LONGEST_BACKOFF)
        else:
            if self._base.write_lease().is_wanted():
                # Passes without a pause between them would keep others from it.
                time.sleep(2 * PAUSE_SECONDS)
            interval = self._base.config.poll_interval
            pause = min(interval, RETRY_SECONDS) if self._watcher.problem else interval
        # A loop that waits is alive, and says so by the next pass.
        parts = (self._forwarding, self._fleet, self._ways_in, self._alerting, self._ping)
        self._wakeup.wait(min(pause, self._notifier.interval, *(part.wait for part in parts)))

    def _try_pass(self) -> None:
        if self._notifier.is_ready:
            self._notifier.alive()
        try:
            self._pass()
        except DatabaseDamaged as error:
            self._note(error)
            self._close_session()
            self._try_rebuild()
        except Interrupted:
            logger.info("asked to stop while rebuilding; the old database is unchanged")
        except Exception as error:
            self._note(error)
            self._close_session()
        else:
            self._failures = 0
            self._notifier.ready()
            self._notifier.status(f"indexing {self._base.log_directory}")
            self._run_chores()

    def _run_chores(self) -> None:
        """Archive, prune and import what is due; what fails there ends nothing."""
        try:
            for problem in (*self._retention.run_due(), *self._ways_in.step()):
                self._note(problem)
        except Exception as error:
            self._note(error)

    def _pass(self) -> None:
        self._renew_lease()
        if not os.path.isdir(self._base.log_directory):
            make_directory(self._base.log_directory)
        # Before the pass, so that nothing that comes between the two is missed.
        self._watcher.ensure_watching()
        if self._session is not None and not self._session.is_in_place():
            logger.warning("%s was deleted or replaced", self._base.database_path)
            self._close_session()
        session = self._session or self._open_session()
        result = session.run_pass()
        for problem in result.problems:
            self._note(problem)
        has_worked = bool(result.read_bytes or result.problems)
        self._heartbeat.after_pass(has_worked=has_worked, watching=not self._watcher.problem)
        self._alerting.step(session)
        self._forwarding.step(session)
        self._fleet.step(session)
        self._ping.step()

    def _renew_lease(self) -> None:
        """Keep the lease though its file was deleted; stop if another process has it now."""
        try:
            self._lease.renew()
        except AlreadyRunning:
            self.stop()
            raise

    def _open_session(self) -> Session:
        self._session = open_or_rebuild(self._base, should_stop=self._should_stop)
        self._heartbeat.start(self._session)
        return self._session

    def _try_rebuild(self) -> None:
        try:
            rebuild(self._base, should_stop=self._should_stop)
        except Exception as error:
            self._note(error)

    def _note(self, error: object) -> None:
        """Report an error, and count failures in a row: a problem with one segment is none."""
        failed = isinstance(error, Exception)
        self._failures = min(self._failures + 1, _MOST_FAILURES) if failed else 0
        self._heartbeat.note(error)

    def _close_session(self) -> None:
        session, self._session = self._session, None
        self._heartbeat.forget_session()
        if session is not None:
            session.close()

    def _leave(self) -> None:
        try:
            self._heartbeat.stop()
        except Exception as error:
            self._note(error)
        self._close_session()
