"""Forward once: send all that may be sent now, without a daemon.

Used by `telemetry forward`. It holds the indexer's lease meanwhile: one process writes the
database, and a daemon forwards by itself.
"""

from __future__ import annotations

from contextlib import closing
from typing import Callable

from indexer.database.opening import open_or_rebuild
from indexer.forward.forwarding import Forwarding
from indexer.system.base import Base
from indexer.system.wakeup import Wakeup

_PURPOSE = "forward"
_LONGEST_WAIT = 1.0


def forward_once(base: Base, should_stop: Callable[[], bool] = lambda: False) -> list[str]:
    """Send what is due until nothing is left that may be sent now; return the new targets.

    Raises AlreadyRunning if a daemon or another pass has the lease, TelemetryError or OSError.
    """
    with (
        base.indexer_lease(_PURPOSE),
        closing(open_or_rebuild(base)) as session,
        closing(Wakeup()) as wakeup,
    ):
        forwarding = Forwarding(base, wakeup.set)
        try:
            while True:
                session.run_pass()
                forwarding.step(session)
                if forwarding.is_done or should_stop():
                    return forwarding.newly_started
                wakeup.wait(min(forwarding.wait, _LONGEST_WAIT))
        finally:
            forwarding.stop(session)
