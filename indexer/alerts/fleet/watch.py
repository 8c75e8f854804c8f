"""Ask one centre for what the rules on it look at, again and again, in threads of their own.

Nothing waits for the network: neither the daemon's loop nor a write to the database.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Optional

from indexer.alerts.evaluation import Evaluation
from indexer.alerts.fleet.snapshot import Snapshot, Wanted, take_snapshot
from indexer.alerts.fleet.state import load_watch
from indexer.alerts.rule import Rule
from indexer.fleet.wire.address import address_of
from indexer.fleet.wire.client import FleetClient
from indexer.forward.target_state import TargetState, save_state
from indexer.outbox.target import Target
from indexer.system.base import Base
from telemetry_core.errors import TelemetryError
from telemetry_core.timestamp import format_time, moment_of

if TYPE_CHECKING:
    from indexer.database.session import Session

logger = logging.getLogger(__name__)

SECONDS = 15.0
"""How often a centre is asked; less often where that takes long."""
_SHARE = 20
"""Asking takes at most one in so many seconds."""
_LONGEST = 300.0
"""Between two questions to a centre that does not answer."""
_MOST_DOUBLINGS = 10
_NOTED_EVERY = 60.0
"""How often it is written down that the centre answers."""


class _Answer(NamedTuple):
    snapshot: Optional[Snapshot]
    error: str
    took: float


class Watch:
    """One centre, the rules on it, and the newest snapshot of what they look at."""

    def __init__(self, base: Base, target: Target, rules: Sequence[Rule]) -> None:
        self._base = base
        self._target = target
        self._rules = rules
        self._state: Optional[TargetState] = None
        self._snapshot: Optional[Snapshot] = None
        self._thread: Optional[threading.Thread] = None
        self._answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        self._noted = self._asked = self._next = 0.0

    def step(self, session: Session, started: Mapping[str, str], now: float) -> bool:
        """Take an answer in, and ask if it is time; return whether there is a new snapshot.

        `started` has by their names when rules were first seen; of others nothing is asked.
        Raises DatabaseUnusable where it cannot be written down how it went.
        """
        has_come = self._take_in(session, now)
        wanted = tuple(
            Wanted(rule, started[rule.name]) for rule in self._rules if rule.name in started
        )
        # One that was asked in the future was asked before the clock was set back.
        is_due = not self._asked <= now < self._next
        if wanted and is_due and self._thread is None:
            self._asked, self._next = now, now + SECONDS
            self._thread = threading.Thread(
                target=self._ask, args=(wanted, now), name="alerts-on-fleet", daemon=True
            )
            self._thread.start()
        return has_come

    @property
    def error(self) -> str:
        """Why the centre could not be asked; empty where it answered."""
        return (self._state.last_error if self._state else None) or ""

    def finish(self) -> None:
        """Wait for the answer that is under way, if one is."""
        if self._thread is not None:
            self._thread.join()

    def evaluation_for(self, rule: Rule) -> Optional[Evaluation]:
        """Return what a rule is evaluated on; None where the centre has not answered yet.

        Raises TelemetryError with the reason where the centre could not run the rule's query.
        """
        snapshot = self._snapshot
        if snapshot is None:
            return None
        if rule.name in snapshot.faults:
            raise TelemetryError(snapshot.faults[rule.name])
        is_in_it = any(one.rule.name == rule.name for one in snapshot.wanted)
        return snapshot.on if is_in_it else None

    def close(self) -> None:
        """Close the snapshot; what is under way is left alone."""
        if self._snapshot is not None:
            self._snapshot.on.connection.close()
            self._snapshot = None

    def _ask(self, wanted: tuple[Wanted, ...], now: float) -> None:
        begun = time.monotonic()
        snapshot, error = None, ""
        try:
            with FleetClient(address_of(self._target)) as client:
                snapshot = take_snapshot(
                    self._base, self._target, client, wanted, moment_of(now), last=self._snapshot
                )
        except TelemetryError as failure:
            error = str(failure.args[0] if failure.args else failure)
        except Exception as failure:
            logger.debug("%s could not be asked", self._target.name, exc_info=True)
            error = f"its rows could not be read ({type(failure).__name__})"
        self._answers.put(_Answer(snapshot, error, time.monotonic() - begun))

    def _take_in(self, session: Session, now: float) -> bool:
        if self._state is None:
            self._state = load_watch(session.connection, self._target.name)
        try:
            answer = self._answers.get_nowait()
        except queue.Empty:
            return False
        self._thread = None
        if answer.snapshot is not None:
            self._keep(answer.snapshot)
        state = self._state_after(answer, self._state, now)
        self._next = self._asked + self._pause(answer, state)
        if state.last_error != self._state.last_error or now - self._noted >= _NOTED_EVERY:
            session.write(lambda connection: save_state(connection, state))
            self._noted = now
        self._state = state
        return answer.snapshot is not None

    def _keep(self, snapshot: Snapshot) -> None:
        last = self._snapshot
        if last is not None and last.on.connection is not snapshot.on.connection:
            last.on.connection.close()
        if snapshot.notes and (last is None or last.notes != snapshot.notes):
            logger.warning("alerts on %s: %s", self._target.name, "; ".join(snapshot.notes))
        self._snapshot = snapshot

    def _state_after(self, answer: _Answer, state: TargetState, now: float) -> TargetState:
        name, at = self._target.name, format_time(moment_of(now))
        if answer.error:
            if answer.error != state.last_error:
                logger.error("alerts on %s cannot be evaluated: %s", name, answer.error)
            since = state.last_error_at if state.last_error else at
            return state._replace(
                failures=state.failures + 1, last_error=answer.error, last_error_at=since
            )
        if state.last_error:
            logger.info("alerts on %s are evaluated again", name)
        return state._replace(failures=0, last_error=None, last_error_at=None, last_delivered_at=at)

    def _pause(self, answer: _Answer, state: TargetState) -> float:
        if answer.error:
            doublings = min(state.failures - 1, _MOST_DOUBLINGS)
            return float(min(SECONDS * 2**doublings, _LONGEST))
        return max(SECONDS, answer.took * _SHARE)
