"""The forwarding of one process: its targets, its messenger, and its forwarder, if there are any.

Called by the daemon and by `telemetry forward`. Where no target is configured it does nothing, and
imports nothing that could.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Callable, Optional

from indexer.outbox.targets import load_targets
from indexer.system.base import Base

if TYPE_CHECKING:
    from indexer.database.session import Session
    from indexer.forward.forwarder import Forwarder
    from indexer.forward.sender import Messenger

logger = logging.getLogger(__name__)

_GRACE_SECONDS = 2.0
"""How long what is under way at the end is waited for: cut off, it would be sent again."""


class Forwarding:
    """What one process forwards, from its start to its end."""

    def __init__(self, base: Base, on_outcome: Callable[[], None]) -> None:
        """`on_outcome` is called from another thread when there is reason for another step."""
        self._base = base
        self._on_outcome = on_outcome
        self._loaded = load_targets(base)
        self._messenger: Optional[Messenger] = None
        self._forwarder: Optional[Forwarder] = None
        for problem in self._loaded.problems:
            logger.error("%s", problem)

    @property
    def wait(self) -> float:
        """In how many seconds another step may find something to do."""
        return self._forwarder.wait if self._forwarder is not None else math.inf

    @property
    def is_done(self) -> bool:
        """Whether nothing is under way, and nothing that may go now is left."""
        return self._forwarder is None or self._forwarder.is_done

    def step(self, view: Session) -> None:
        """Send what is due, of a view that has just been brought up to date.

        Raises TelemetryError or OSError.
        """
        if self._loaded.targets and view.is_outbox_complete():
            forwarder = self._forwarder or self._begin()
            view.write(forwarder.step)

    def stop(self, view: Optional[Session]) -> None:
        """End it; what is under way has a moment to arrive. Raises nothing."""
        if self._messenger is None or self._forwarder is None:
            return
        self._messenger.close(_GRACE_SECONDS)
        try:
            if view is not None:
                view.write(self._forwarder.note_last)
        except Exception as error:
            # It will be sent again, with the same key.
            logger.error("the last outcomes could not be noted: %s", error)  # noqa: TRY400

    def _begin(self) -> Forwarder:
        # Imported here: most daemons forward nothing.
        from indexer.forward.forwarder import Forwarder
        from indexer.forward.sender import Messenger
        from indexer.outbox.receipts import Receipts

        self._messenger = Messenger(self._on_outcome)
        receipts = Receipts(self._base)
        self._forwarder = Forwarder(self._loaded.targets, receipts, self._messenger)
        for target in self._loaded.targets:
            logger.info("forwarding to %s", target.name)
        return self._forwarder
