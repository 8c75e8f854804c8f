"""One pass of forwarding: all that may go now, without a daemon.

Called by `telemetry forward`. It holds the indexer's lease meanwhile: one process writes the
database, and where a daemon runs it forwards by itself.
"""

from __future__ import annotations

from contextlib import closing
from typing import Callable

from indexer.database.session import Session
from indexer.forward.forwarding import Forwarding
from indexer.system.base import Base
from indexer.system.wakeup import Wakeup

_PURPOSE = "forward"
_LONGEST_WAIT = 1.0


def forward_once(base: Base, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Send what is due until nothing is left that may go now.

    Raises AlreadyRunning if a daemon or another pass has the lease, TelemetryError or OSError.
    """
    with (
        base.indexer_lease(_PURPOSE),
        closing(Session(base)) as view,
        closing(Wakeup()) as hint,
    ):
        forwarding = Forwarding(base, hint.set)
        try:
            while True:
                view.run_pass()
                forwarding.step(view)
                if forwarding.is_done or should_stop():
                    return
                hint.wait(min(forwarding.wait, _LONGEST_WAIT))
        finally:
            forwarding.stop(view)
