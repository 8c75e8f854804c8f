"""Hold what one process needs to forward: its targets, its sender and its forwarder.

Used by the daemon and by `telemetry forward`. Where no target is configured it does nothing, and
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
    from indexer.forward.sender import Sender
    from indexer.outbox.target import Target

logger = logging.getLogger(__name__)

_GRACE_SECONDS = 2.0
"""How long to wait at the end for attempts in flight: cut off, they would be made again."""


class Forwarding:
    """What one process forwards, from its start to its end."""

    def __init__(
        self, base: Base, on_outcome: Callable[[], None], channels: tuple[Target, ...] = ()
    ) -> None:
        """`on_outcome` is called from another thread when another step is due.

        `channels` are sent messages of alerts, by the same outbox and sender.
        """
        self._channels = channels
        self._base = base
        self._on_outcome = on_outcome
        self._loaded = load_targets(base)
        self._sender: Optional[Sender] = None
        self._forwarder: Optional[Forwarder] = None
        for problem in self._loaded.problems:
            logger.error("%s", problem)

    @property
    def wait(self) -> float:
        """In how many seconds another step may find something to do."""
        return self._forwarder.wait if self._forwarder is not None else math.inf

    @property
    def is_done(self) -> bool:
        """Whether nothing is in flight, and nothing is left that may be sent now."""
        return self._forwarder is None or self._forwarder.is_done

    @property
    def newly_started(self) -> list[str]:
        """Targets that this process saw first, and that get no older runs."""
        return self._forwarder.newly_started if self._forwarder is not None else []

    def step(self, session: Session) -> None:
        """Send what is due, after a pass over the whole log.

        Raises TelemetryError or OSError.
        """
        if (self._loaded.targets or self._channels) and session.is_outbox_complete():
            forwarder = self._forwarder or self._begin()
            session.write(forwarder.step)

    def stop(self, session: Optional[Session]) -> None:
        """Stop; attempts in flight have a moment to end. Raises nothing."""
        if self._sender is None or self._forwarder is None:
            return
        self._sender.close(_GRACE_SECONDS)
        try:
            if session is not None:
                session.write(self._forwarder.record_last)
        except Exception as error:
            # It will be sent again, with the same key.
            logger.error("the last outcomes could not be recorded: %s", error)  # noqa: TRY400

    def _begin(self) -> Forwarder:
        # Imported here: most daemons forward nothing.
        from indexer.forward.forwarder import Forwarder
        from indexer.forward.sender import Sender
        from indexer.outbox.receipts import Receipts

        self._sender = Sender(self._on_outcome)
        receipts = Receipts(self._base)
        self._forwarder = Forwarder(
            self._loaded.targets, receipts, self._sender, channels=self._channels
        )
        for target in self._loaded.targets:
            logger.info("forwarding to %s", target.name)
        return self._forwarder
