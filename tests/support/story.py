"""A random story of forwarding: runs that come and change, a receiver that fails, deaths between.

The clock is virtual, so that a story of days takes milliseconds; the log, the outbox and what
decides are the real ones. The receiver is whatever sender the story is given.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Callable, Optional

from indexer.forward.forwarder import Forwarder
from indexer.forward.sender import Outcome, Sender
from indexer.outbox.attempt import AttemptResult, result_of_status
from indexer.outbox.delivery_state import dead_letters
from indexer.outbox.parcel import Parcel
from indexer.outbox.receipts import Receipts, retry_of
from indexer.outbox.target import Target
from indexer.store.connection import remove_database
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from tests.support.database import event
from tests.support.forward import Queue, a_run

_LONGEST_STORY = 100_000
_STATUSES = (200, 200, 201, 302, 408, 425, 429, 500, 502, 503)


class FakeReceiver:
    """A receiver in this process: each attempt may fail, before or after what was sent is kept."""

    def __init__(self, rng: random.Random, poison: str = "", bad: int = 4) -> None:
        self._rng = rng
        self._poison = poison
        self._bad = bad
        self._tries: dict[str, int] = {}
        self._coming: list[Outcome] = []
        self.held: dict[str, bytes] = {}
        self.order: list[str] = []
        self.breaks_at = ""
        """A text of bodies that are always answered by 500."""
        self.is_down: Callable[[], bool] = lambda: False

    def send(self, _target: Target, parcel: Parcel) -> None:
        self._coming.append((parcel, self._answer(parcel)))

    def outcomes(self) -> list[Outcome]:
        some = self._rng.randrange(len(self._coming) + 1)
        self._rng.shuffle(self._coming)
        found, self._coming = self._coming[:some], self._coming[some:]
        return found

    def for_another_process(self) -> FakeReceiver:
        """Lose what was on its way back: the process that waited for it has died."""
        self._coming.clear()
        return self

    def _answer(self, parcel: Parcel) -> AttemptResult:
        if self.is_down():
            return AttemptResult("failed", "ConnectError")
        if self.breaks_at and self.breaks_at.encode() in parcel.payload:
            return result_of_status(500)
        tries = self._tries[parcel.key] = self._tries.get(parcel.key, 0) + 1
        if self._poison and self._poison.encode() in parcel.payload:
            return result_of_status(400)
        status = self._rng.choice(_STATUSES) if tries <= self._bad else 200
        is_kept = status < 300 or self._rng.random() < 0.3
        if is_kept:
            assert self.held.setdefault(parcel.key, parcel.payload) == parcel.payload
            self.order.append(parcel.key)
        retry_after = self._rng.choice([None, 0.0, 5.0, 9e9]) if status in (429, 503) else None
        return result_of_status(status, retry_after)


class _Watched(Receipts):
    """Receipts that say whether there are new ones to be read."""

    has_news = True

    def write(self, events: Iterable[Any]) -> bool:
        self.has_news = True
        return super().write(events)


class OneProcess:
    """A sender as one process has it: what another had sent before comes back to nobody."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._sent: list[Parcel] = []

    def send(self, target: Target, parcel: Parcel) -> None:
        self._sent.append(parcel)
        self._sender.send(target, parcel)

    def outcomes(self) -> list[Outcome]:
        coming = self._sender.outcomes()
        return [one for one in coming if any(one[0] is parcel for parcel in self._sent)]


class Story:
    """One base, one target, and what happens to them."""

    def __init__(
        self,
        directory: Path,
        new_sender: Callable[[], Any],
        target: Target,
        rng: random.Random,
        await_outcome: Callable[[], None] = lambda: None,
    ) -> None:
        self.now = 1_800_000_000.0
        self.shortest_wait = 0.0
        self.longest_attempt = 3.0
        """Seconds; longer than what some wait for their next attempt."""
        self.target = target
        self.revisions: dict[str, int] = {}
        self._directory = directory
        self._new_sender = new_sender
        self._sender: Any = None
        self._rng = rng
        self._await_outcome = await_outcome
        self._number = 0
        raw = directory / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        self._receipts = _Watched(Base(TelemetryConfig.for_base(directory)))
        self.queue: Optional[Queue] = None
        self.be_born()

    def be_born(self) -> None:
        """Begin as a new process does: with what stands on the disk."""
        if self.queue is not None:
            self.queue.connection.close()
        self._sender = self._new_sender()
        self._receipts.has_news = True
        self.queue = Queue(self._directory / "raw", self.target)
        self.forwarder = Forwarder(
            [self.target], self._receipts, self._sender, lambda: self.now, self._rng.random
        )

    def close(self) -> None:
        """Close the database."""
        assert self.queue is not None
        self.queue.connection.close()
        self.queue = None

    def lose_database(self) -> None:
        """Delete `db/`."""
        self.close()
        remove_database(self._directory / "view.sqlite")
        self.be_born()

    def add_run(self, **fields: Any) -> str:
        """Record a run that has ended."""
        run_id = f"run-{len(self.revisions):05d}"
        self._write(*a_run(run_id, self._next(), **fields))
        self._next()
        self.revisions[run_id] = 2
        return run_id

    def change(self, run_id: str) -> None:
        """Record something of a run that makes a revision."""
        number = self._next()
        self._write(event(number, "run.updated", run_id, items_failed=number))
        self.revisions[run_id] += 1

    def record(self, *events: Any) -> None:
        """Record many events at once."""
        self._write(*events)

    def tick(self) -> None:
        """Make one round of the daemon, or let the time pass that it would wait."""
        assert self.queue is not None
        if self._receipts.has_news:
            # A pass over what was read already costs time and finds nothing.
            self.queue.index()
            self._receipts.has_news = False
        self.forwarder.step(self.queue.connection)
        if any(active.in_flight for active in self.forwarder._active.values()):
            self._await_outcome()
            self.now += self.longest_attempt * self._rng.random()
        elif self.forwarder.wait not in (0.0, float("inf")):
            self.now += max(self.forwarder.wait + 0.001, self.shortest_wait)

    def is_over(self) -> bool:
        """Whether nothing waits any more."""
        assert self.queue is not None
        return self.forwarder.is_done and not self.queue.waiting()

    def finish(self) -> None:
        """Let it go on until nothing waits."""
        for _ in range(_LONGEST_STORY):
            self.tick()
            if self.is_over():
                return
        raise AssertionError(f"never ends: {self.queue and self.queue.rows()[:3]}")

    def retry_the_dead(self) -> int:
        """Do what `telemetry forward retry` does."""
        assert self.queue is not None
        dead = list(dead_letters(self.queue.connection))
        assert self._receipts.write(map(retry_of, dead))
        return len(dead)

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _write(self, *events: Any) -> None:
        assert self.queue is not None
        self._receipts.has_news = True
        self.queue.append(*events, file=f"events_2026010{self._rng.randrange(1, 4)}.ndjson")
