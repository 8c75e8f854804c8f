"""Ship to one centre in a thread of its own, a round at a time, when told to.

A centre that answers slowly delays no pass of the indexer. The thread reads the log and the
database, and writes nothing but the file of its cursors.
"""

from __future__ import annotations

import logging
import queue
import threading
from typing import Callable, NamedTuple, Optional

from indexer.fleet.answers import ALL_SHIPPED, result_of_failure
from indexer.fleet.shipping.content import Withholding
from indexer.fleet.shipping.round import Round, Shipping
from indexer.fleet.shipping.state import load_state
from indexer.fleet.wire.address import address_of
from indexer.fleet.wire.client import FleetClient
from indexer.outbox.attempt import AttemptResult
from indexer.outbox.target import Target
from indexer.system.base import Base

logger = logging.getLogger(__name__)

NOTHING = Round(0, is_last=False)


class RoundOutcome(NamedTuple):
    """What one round came to, shipped or not."""

    round: Round
    result: AttemptResult


class Courier:
    """Makes rounds to one centre; after a failure with a new connection."""

    def __init__(
        self, base: Base, target: Target, should_stop: Callable[[], bool] = lambda: False
    ) -> None:
        self._base = base
        self._target = target
        self._should_stop = should_stop
        self._client: Optional[FleetClient] = None
        self._shipping: Optional[Shipping] = None

    def make_round(self) -> RoundOutcome:
        """Ship a round. Raises nothing: what went wrong is in the outcome."""
        try:
            shipping = self._shipping or self._begin()
            return RoundOutcome(shipping.ship_round(), ALL_SHIPPED)
        except Exception as error:
            logger.debug("a round to %s failed", self._target.name, exc_info=True)
            self.close()
            return RoundOutcome(NOTHING, result_of_failure(error))

    def close(self) -> None:
        """Close the connection."""
        client, self._client, self._shipping = self._client, None, None
        if client is not None:
            client.close()

    def _begin(self) -> Shipping:
        address = address_of(self._target)
        self._client = FleetClient(address)
        state = load_state(self._base, self._target.name, address)
        withholding = Withholding(ships_content=self._target.content)
        self._shipping = Shipping(self._base, self._client, state, withholding, self._should_stop)
        return self._shipping


class Worker:
    """The thread that makes rounds to one centre."""

    def __init__(self, base: Base, target: Target, on_outcome: Callable[[], None]) -> None:
        """`on_outcome` is called from the thread when a round has ended."""
        self._courier = Courier(base, target, self._is_stopping)
        self._on_outcome = on_outcome
        self._orders: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[RoundOutcome] = queue.SimpleQueue()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name=f"fleet-{target.name}", daemon=True)
        self._thread.start()

    def start_round(self) -> None:
        """Have a round made; its outcome comes later."""
        self._orders.put(True)

    def outcome(self) -> Optional[RoundOutcome]:
        """Return the outcome of a round that has ended, None if none has."""
        try:
            return self._outcomes.get_nowait()
        except queue.Empty:
            return None

    def stop(self, seconds: float) -> None:
        """End after the batch that is being sent, or leave it where that takes longer."""
        self._stopping = True
        self._orders.put(False)
        self._thread.join(seconds)

    def _is_stopping(self) -> bool:
        return self._stopping

    def _work(self) -> None:
        try:
            while self._orders.get() and not self._stopping:
                self._outcomes.put(self._courier.make_round())
                self._on_outcome()
        finally:
            self._courier.close()
