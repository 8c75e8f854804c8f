"""Decide when a process ships to its centres: what the log, the breaker and the rate allow.

Used by the daemon after each pass. Where no centre is configured it does nothing, and imports
nothing that could.
"""

from __future__ import annotations

import math
import random
import sqlite3
import time
from typing import TYPE_CHECKING, Callable, Optional

from indexer.outbox.backoff import backoff
from indexer.outbox.targets import load_targets
from indexer.system.base import Base

if TYPE_CHECKING:
    from indexer.database.session import Session
    from indexer.fleet.worker import Worker
    from indexer.forward.active_target import ActiveTarget
    from indexer.log.cursor import Cursor
    from indexer.outbox.target import Target

_GRACE_SECONDS = 2.0
_LINGER_SECONDS = 2.0
"""After all was shipped: every insert is a part that the centre has to merge, so that many hosts
with little to say each would cost it more than few with much."""


class FleetShipping:
    """What one daemon ships, from its start to its end."""

    def __init__(self, base: Base, on_outcome: Callable[[], None]) -> None:
        """`on_outcome` is called from another thread when another step is due."""
        centres = load_targets(base).centres
        self._centres = [CentreShipping(base, one, on_outcome) for one in centres]

    @property
    def wait(self) -> float:
        """In how many seconds another step may find something to do."""
        return min((one.wait for one in self._centres), default=math.inf)

    def step(self, session: Session) -> None:
        """Have shipped what is new, after a pass. Raises TelemetryError."""
        for one in self._centres:
            one.step(session)

    def stop(self) -> None:
        """Stop; what is being sent has a moment to end. Raises nothing."""
        for one in self._centres:
            one.stop()


class CentreShipping:
    """One centre while a daemon ships to it."""

    def __init__(self, base: Base, target: Target, on_outcome: Callable[[], None]) -> None:
        self._base = base
        self._target = target
        self._on_outcome = on_outcome
        self._worker: Optional[Worker] = None
        self._active: Optional[ActiveTarget] = None
        self._is_busy = False
        self._shipped: dict[str, Cursor] = {}
        """How far the database had each segment when all of it was shipped."""
        self._asked: dict[str, Cursor] = {}
        self._retry_at = 0.0
        self.wait = 0.0

    def step(self, session: Session) -> None:
        """Record what the last round came to, and start the next if there is one to make."""
        now = time.time()
        active = self._active or self._begin(session)
        self._record(session, active, now)
        if self._is_busy:
            # Its outcome wakes us.
            self.wait = math.inf
            return
        indexed = _cursors(session.connection)
        if indexed == self._shipped:
            self.wait = math.inf
            return
        if active.breaker.is_probing:
            session.write(active.notice_retry)
        if now < self._retry_at and not active.breaker.is_probing:
            self.wait = self._retry_at - now
        elif active.breaker.capacity(now):
            self._asked, self._is_busy = indexed, True
            active.breaker.record_sent()
            self._the_worker().start_round()
            self.wait = math.inf
        else:
            self.wait = active.breaker.wait(now)

    def stop(self) -> None:
        """Stop the thread."""
        if self._worker is not None:
            self._worker.stop(_GRACE_SECONDS)

    def _record(self, session: Session, active: ActiveTarget, now: float) -> None:
        outcome = self._worker.outcome() if self._worker is not None else None
        if outcome is None:
            return
        # Imported here, as below: most daemons have no centre.
        from indexer.forward.target_state import save_state

        self._is_busy = False
        if outcome.round.is_last:
            self._shipped = self._asked
        jitter = random.random()  # noqa: S311  # it only spreads the load
        active.record_answer(outcome.result, now, jitter)
        # Beyond that the breaker says when; before, a round that failed is not made again at once.
        self._retry_at = now + backoff(active.breaker.state.failures, jitter)
        if not active.breaker.state.failures:
            self._retry_at = now + _LINGER_SECONDS if outcome.round.is_last else 0.0
        session.write(lambda connection: save_state(connection, active.state))

    def _begin(self, session: Session) -> ActiveTarget:
        from indexer.forward.active_target import ActiveTarget

        self._active = ActiveTarget(self._target)
        self._active.load(session.connection)
        return self._active

    def _the_worker(self) -> Worker:
        from indexer.fleet.worker import Worker

        if self._worker is None:
            self._worker = Worker(self._base, self._target, self._on_outcome)
        return self._worker


def _cursors(connection: sqlite3.Connection) -> dict[str, Cursor]:
    from indexer.store.cursors import all_cursors

    return all_cursors(connection)
