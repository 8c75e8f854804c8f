"""Ship once: all that is new, without a daemon.

Used by `telemetry forward`. It holds the indexer's lease meanwhile: one process writes the
database, and a daemon ships by itself.
"""

from __future__ import annotations

import random
import time
from contextlib import closing
from typing import Callable

from indexer.database.opening import open_or_rebuild
from indexer.database.session import Session
from indexer.fleet.worker import Courier
from indexer.forward.active_target import ActiveTarget
from indexer.forward.target_state import save_state
from indexer.outbox.attempt import DELIVERED
from indexer.outbox.target import Target
from indexer.outbox.targets import load_targets
from indexer.system.base import Base

_PURPOSE = "forward"


def ship_once(base: Base, should_stop: Callable[[], bool] = lambda: False) -> list[str]:
    """Ship to every centre what it has not got; return the names of those that did not take it.

    Raises AlreadyRunning if a daemon or another pass has the lease, TelemetryError or OSError.
    """
    with base.indexer_lease(_PURPOSE), closing(open_or_rebuild(base)) as session:
        session.run_pass()
        return [
            target.name
            for target in load_targets(base).centres
            if not _ship_to(base, session, target, should_stop)
        ]


def _ship_to(base: Base, session: Session, target: Target, should_stop: Callable[[], bool]) -> bool:
    """Make rounds until all is shipped, or one fails; return whether all is shipped."""
    active = ActiveTarget(target)
    active.load(session.connection)
    with closing(Courier(base, target, should_stop)) as courier:
        while True:
            active.breaker.record_sent()
            outcome = courier.make_round()
            jitter = random.random()  # noqa: S311  # it only spreads the load
            active.record_answer(outcome.result, time.time(), jitter)
            session.write(lambda connection: save_state(connection, active.state))
            if outcome.result.outcome != DELIVERED or should_stop():
                return False
            if outcome.round.is_last:
                return True
