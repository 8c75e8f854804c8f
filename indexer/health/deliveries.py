"""Report how forwarding is doing, target by target.

Used by `telemetry status`, `telemetry forward status` and doctor. It only reads, and shows no
secret.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

from indexer.forward.circuit_breaker import CircuitBreaker
from indexer.forward.target_state import load_state
from indexer.outbox.delivery_state import dead_letters
from indexer.outbox.queue import TargetBacklog, backlogs
from indexer.outbox.target import Target
from indexer.outbox.target_events import target_starts
from indexer.outbox.targets import load_targets
from indexer.system.base import Base
from telemetry_core.clock import CLOCK
from telemetry_core.status import ALIASES, STATUSES

OFF, UNKNOWN = "off", "unknown"
_NOTHING = TargetBacklog(0, None)


class TargetHealth(NamedTuple):
    """How one target is doing. The fields are the keys of `--json`."""

    name: str
    kind: Optional[str]
    """None for a target that is not configured here."""
    address: Optional[str]
    """Without secrets."""
    state: str
    """`open`, `down`, `paused`, `off`, or `unknown` if it is not configured here."""
    started_at: Optional[str]
    """From when on it gets runs; empty for all, None for a target that has not started."""
    last_delivered_at: Optional[str]
    last_error: Optional[str]
    """Why the last attempt failed; None once one has succeeded."""
    last_error_at: Optional[str]
    waiting: int
    """How many revisions wait for it; of a centre, `telemetry fleet status` has what waits."""
    oldest_waiting: Optional[str]
    """When the run that has waited longest changed."""
    dead: int
    """How many dead letters it has."""


class Deliveries(NamedTuple):
    """How forwarding is doing."""

    problems: list[str]
    """What is wrong with the configuration, with what to do about it."""
    targets: list[TargetHealth]

    def as_json(self) -> dict[str, Any]:
        """Return the value that `--json` shows."""
        return {**self._asdict(), "targets": [target._asdict() for target in self.targets]}


def read_deliveries(base: Base, connection: sqlite3.Connection) -> Deliveries:
    """Return every target with what waits for it, and what is wrong with the configuration."""
    loaded = load_targets(base)
    waiting = backlogs(connection)
    dead = Counter(letter.target for letter in dead_letters(connection))
    starts = target_starts(connection)
    configured = (*loaded.targets, *loaded.centres)
    known: dict[str, Optional[Target]] = {target.name: target for target in configured}
    # What waits for a target that is not configured here may be another process's business.
    names = [*known, *sorted(waiting.keys() - known.keys() - set(loaded.off)), *loaded.off]
    targets = []
    for name in names:
        target, backlog = known.get(name), waiting.get(name, _NOTHING)
        state = load_state(connection, name)
        condition = CircuitBreaker(1.0, 1, state.breaker).condition if target else UNKNOWN
        health = TargetHealth(
            name=name,
            kind=target.kind if target else None,
            address=target.shown_address if target else None,
            state=OFF if name in loaded.off else condition,
            started_at=starts.get(name),
            last_delivered_at=state.last_delivered_at,
            last_error=state.last_error,
            last_error_at=state.last_error_at,
            waiting=backlog.waiting,
            oldest_waiting=backlog.oldest,
            dead=dead[name],
        )
        targets.append(health)
    problems = [*loaded.problems, *filter_problems(loaded.targets, connection)]
    return Deliveries([*problems, *_start_problems(loaded.targets, starts)], targets)


def filter_problems(
    targets: tuple[Target, ...], connection: Optional[sqlite3.Connection]
) -> Iterator[str]:
    """Yield a line for each status in a target's filter that no run has or can be expected to have.

    Agents may use statuses of their own: one that a run in the database has is fine.
    """
    for target in targets:
        for status in target.custom_statuses:
            if connection is None or not _is_used(connection, status):
                # Imported here: only an unknown status needs it.
                from difflib import get_close_matches

                close = get_close_matches(status, [*STATUSES, *ALIASES], n=1)
                hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(STATUSES)}"
                yield f"target {target.name}: its filter has {status!r}, a status of no run; {hint}"


def _is_used(connection: sqlite3.Connection, status: str) -> bool:
    found = connection.execute("SELECT 1 FROM agent_runs WHERE status = ? LIMIT 1", (status,))
    return found.fetchone() is not None


def _start_problems(targets: tuple[Target, ...], starts: dict[str, str]) -> Iterator[str]:
    now = CLOCK.tick().time
    for target in targets:
        start = starts.get(target.name, "")
        # A day of tolerance: hosts that share a base directory may disagree about the time.
        if start[:10] > now[:10]:
            yield (
                f"target {target.name} starts in the future, at {start}: the clock was wrong;"
                f" run `telemetry forward backfill {target.name} --since today`"
            )
