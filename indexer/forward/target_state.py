"""Keep the state of each target across restarts: circuit breaker, last error and delivery.

Written by the forwarder inside its transactions. It belongs to the indexer and is not a function
of the log.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple, Optional

from indexer.forward.circuit_breaker import BreakerState


class TargetState(NamedTuple):
    """A row of `forward_targets`."""

    name: str
    failures: int = 0
    blocked_until: float = 0.0
    is_paused: int = 0
    last_error: Optional[str] = None
    """Why the last attempt failed; None once one has succeeded."""
    last_error_at: Optional[str] = None
    last_delivered_at: Optional[str] = None
    retry_event_id: str = ""
    """The last event that asked to try the target at once, of those that were noticed."""

    @property
    def breaker(self) -> BreakerState:
        """The state of its circuit breaker."""
        return BreakerState(self.failures, self.blocked_until, bool(self.is_paused))

    def with_breaker(self, state: BreakerState) -> TargetState:
        """Return a copy with another state of its circuit breaker."""
        return self._replace(
            failures=state.failures,
            blocked_until=state.blocked_until,
            is_paused=int(state.is_paused),
        )


def load_state(connection: sqlite3.Connection, name: str) -> TargetState:
    """Return the state of a target, or a new one if there is none yet."""
    columns = ", ".join(TargetState._fields)
    row = connection.execute(
        f"SELECT {columns} FROM forward_targets WHERE name = ?", (name,)
    ).fetchone()
    return TargetState(name) if row is None else TargetState(*row)


def save_state(connection: sqlite3.Connection, state: TargetState) -> None:
    """Write the state of a target."""
    columns = ", ".join(TargetState._fields)
    marks = ", ".join("?" * len(state))
    connection.execute(
        f"INSERT OR REPLACE INTO forward_targets ({columns}) VALUES ({marks})", state
    )
