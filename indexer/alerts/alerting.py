"""Evaluate the alert rules of one process, and queue their messages for channels.

Called by the daemon and by `telemetry alerts check` after each pass that read the whole log. What
a rule finds is written into the log; the next pass reads it back, and only what was read back is
queued and counts. So nothing is sent of which the log does not know.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Optional

from indexer.alerts.changes import is_held_back, messages_due
from indexer.alerts.evaluation import Evaluation, Problems
from indexer.alerts.queueing import queue_messages
from indexer.alerts.rule import Rule
from indexer.alerts.settings.load import load_alerts
from indexer.alerts.state import AlertState, RuleState, read_state, subject_of_rule
from indexer.outbox.receipts import EventParts, Receipts
from indexer.outbox.targets import load_targets
from indexer.store.alerts.events import alert_events
from indexer.system.base import Base
from telemetry_core.errors import TelemetryError
from telemetry_core.event import ALERT_STARTED
from telemetry_core.timestamp import format_time, moment_of

if TYPE_CHECKING:
    from indexer.alerts.fleet.watch import Watch
    from indexer.database.session import Session

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 5.0
"""How often rules are evaluated; what takes long is evaluated less often."""
_QUICK_SECONDS = 1.0
"""How soon after a pass that read something."""
_LEAST_WAIT = 0.05
_SHARE = 20
"""Evaluation takes at most one in so many seconds."""


class Alerting:
    """The rules of one base, evaluated by one process."""

    def __init__(
        self,
        base: Base,
        problems: Problems = lambda _: (),
        clock: Callable[[], float] = time.time,
        receipts: Optional[Receipts] = None,
    ) -> None:
        """`problems` says what makes the status degraded; `clock` returns seconds since 1970."""
        self._base = base
        self._problems = problems
        self._clock = clock
        self._receipts = receipts or Receipts(base)
        self.settings = load_alerts(base)
        self._watches = _watches(base, self.settings.rules)
        self._started: dict[str, str] = {}
        """By rule, when it was first seen."""
        self._written: dict[str, int] = {}
        """By rule, the number of the last message that was written here; 0 for its start."""
        self._known_at = -1
        self._last = self._next = self._rest = 0.0
        self._faults: dict[str, str] = {}
        for problem in self.settings.problems:
            logger.error("%s", problem)

    @property
    def wait(self) -> float:
        """In how many seconds another step may find something to do."""
        if not self.settings.rules:
            return math.inf
        # Never none: where the log cannot be read or written, a step does nothing.
        return max(_LEAST_WAIT, min(self._next - self._clock(), INTERVAL_SECONDS))

    @property
    def faults(self) -> dict[str, str]:
        """Why rules could not be evaluated, by their names."""
        watches = {rule.name: self._watches.get(rule.on) for rule in self.settings.rules}
        far = {name: watch.error for name, watch in watches.items() if watch and watch.error}
        return {**self._faults, **far}

    def step(self, session: Session) -> None:
        """Queue what the log says, and evaluate rules. Raises TelemetryError or OSError."""
        if self.settings.rules and session.has_read_log and self._receipts.flush():
            # Not within the write: there the network is never waited for.
            self.ask(session, self._clock())
            session.write(self._step)

    def ask(self, session: Session, now: float, *, waits: bool = False) -> None:
        """Ask the centres of rules on them, and take in what they answered earlier.

        With `waits`, until they have answered this. Raises TelemetryError or OSError.
        """
        if any(rule.on and rule.name not in self._started for rule in self.settings.rules):
            state = read_state(alert_events(session.connection))
            self._started = {
                name: known.started_at for name, known in state.rules.items() if known.started_at
            }
        for watch in self._watches.values():
            has_come = watch.step(session, self._started, now)
            if waits:
                watch.finish()
                has_come = watch.step(session, self._started, now)
            if has_come:
                self._next = now

    def close(self) -> None:
        """Close what was read of centres."""
        for watch in self._watches.values():
            watch.close()

    def _step(self, connection: sqlite3.Connection) -> None:
        now = self._clock()
        if connection.total_changes != self._known_at:
            # What is new is looked at soon, though not after each pass.
            self._next = min(self._next, self._last + max(_QUICK_SECONDS, self._rest))
        # A last time in the future is from before the clock was set back.
        if self._last <= now < self._next:
            return
        begun = time.monotonic()
        has_written = self.evaluate(connection, moment_of(now))
        self._rest = (time.monotonic() - begun) * _SHARE
        self._known_at, self._last = connection.total_changes, now
        # What was written is queued as soon as it has been read back.
        self._next = now if has_written else now + max(INTERVAL_SECONDS, self._rest)

    def evaluate(self, connection: sqlite3.Connection, now: datetime) -> bool:
        """Queue and evaluate now; return whether something was written into the log.

        The log has been read to its end.
        """
        state = read_state(alert_events(connection))
        names = {target.name for target in self.settings.channels}
        queue_messages(connection, state, names, now)
        on = Evaluation(self._base, connection, now, self._problems)
        events: list[EventParts] = []
        for rule in self.settings.rules:
            events += self._events_of(rule, state, on)
        if events:
            self._receipts.write(events)
        return bool(events)

    def _events_of(self, rule: Rule, state: AlertState, on: Evaluation) -> list[EventParts]:
        known, subject = state.of(rule.name), subject_of_rule(rule.name)
        if not self._is_read_back(rule.name, known):
            return []
        if not known.started_at:
            self._written[rule.name] = 0
            data = {"rule": rule.name, "time": format_time(on.now)}
            return [(ALERT_STARTED, subject, data)]
        if is_held_back(rule, known, on.now):
            return []
        try:
            where = self._watches[rule.on].evaluation_for(rule) if rule.on else on
            if where is None:
                return []
            found = where.conditions_of(rule, known.started_at)
        except Exception as error:
            # Whatever is wrong with a rule, the others are evaluated, and the daemon lives.
            said = str(error) if isinstance(error, TelemetryError) else ""
            self._note(rule.name, said or f"{type(error).__name__}: {error}")
            return []
        self._faults.pop(rule.name, None)
        messages = messages_due(rule, state, found, on.now)
        if messages:
            self._written[rule.name] = messages[-1].data["number"]
            for one in messages:
                logger.info("%s: %s of %d", rule.name, one.type, one.data["count"])
        return [(one.type, subject, one.data) for one in messages]

    def _is_read_back(self, name: str, known: RuleState) -> bool:
        """Return whether the database has all that was written of a rule here."""
        number = self._written.get(name)
        return number is None or (known.number >= number and bool(known.started_at))

    def _note(self, name: str, fault: str) -> None:
        if self._faults.get(name) != fault:
            self._faults[name] = fault
            logger.error("alert %s cannot be evaluated: %s", name, fault)


def _watches(base: Base, rules: Sequence[Rule]) -> dict[str, Watch]:
    """Return a watch for each centre that rules are on, by its name."""
    names = {rule.on for rule in rules if rule.on}
    if not names:
        return {}
    # Imported here: HTTP is large, and most bases have no rule on a fleet.
    from indexer.alerts.fleet.watch import Watch

    return {
        centre.name: Watch(base, centre, [rule for rule in rules if rule.on == centre.name])
        for centre in load_targets(base).centres
        if centre.name in names
    }
