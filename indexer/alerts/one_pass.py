"""Evaluate once and send what is due, without a daemon. Used by `telemetry alerts check`.

It holds the indexer's lease meanwhile: one process writes the database.
"""

from __future__ import annotations

from contextlib import closing

from indexer.alerts.alerting import Alerting
from indexer.alerts.evaluation import Problems
from indexer.database.opening import open_or_rebuild
from indexer.database.session import Session
from indexer.forward.forwarding import Forwarding
from indexer.system.base import Base
from indexer.system.wakeup import Wakeup
from telemetry_core.clock import CLOCK
from telemetry_core.timestamp import parse_time

_PURPOSE = "alerts"
_LONGEST_WAIT = 1.0
_MOST_ROUNDS = 5
"""A start, what fired or was resolved, and what these make degraded."""


def check_once(base: Base, problems: Problems) -> Alerting:
    """Evaluate every rule, and send until nothing is left that may be sent now.

    Raises AlreadyRunning if a daemon or another pass has the lease, TelemetryError or OSError.
    """
    with (
        base.indexer_lease(_PURPOSE),
        closing(open_or_rebuild(base)) as session,
        closing(Wakeup()) as wakeup,
    ):
        alerting = Alerting(base, problems)
        with closing(alerting):
            _evaluate(alerting, session)
        forwarding = Forwarding(base, wakeup.set, channels=alerting.settings.channels)
        try:
            while True:
                session.run_pass()
                forwarding.step(session)
                if forwarding.is_done:
                    return alerting
                wakeup.wait(min(forwarding.wait, _LONGEST_WAIT))
        finally:
            forwarding.stop(session)


def _evaluate(alerting: Alerting, session: Session) -> None:
    for _ in range(_MOST_ROUNDS):
        session.run_pass()
        now = parse_time(CLOCK.tick().time)
        alerting.ask(session, now.timestamp(), waits=True)
        if not session.write(lambda connection: alerting.evaluate(connection, now)):  # noqa: B023  # called here
            return
