"""The state of targets: whether each is down or paused, and what it last said, across restarts.

Written by the forwarder, inside its transactions; read by whoever shows it. It is the indexer's
own, and no function of the log.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple, Optional

from indexer.forward.circuit_breaker import GateState


class TargetState(NamedTuple):
    """A row of `forward_targets`."""

    name: str
    failures: int = 0
    shut_until: float = 0.0
    is_paused: int = 0
    last_error: Optional[str] = None
    """Why the last attempt failed; none once one has succeeded."""
    last_error_at: Optional[str] = None
    last_delivered_at: Optional[str] = None
    lifted_by: str = ""
    """The last event that lifted a pause, of those that were heard of."""

    @property
    def gate(self) -> GateState:
        """What the gate knows of it."""
        return GateState(self.failures, self.shut_until, bool(self.is_paused))

    def with_gate(self, state: GateState) -> TargetState:
        """Return the same with what the gate knows now."""
        return self._replace(
            failures=state.failures,
            shut_until=state.shut_until,
            is_paused=int(state.is_paused),
        )


def load_state(connection: sqlite3.Connection, name: str) -> TargetState:
    """Return the state of a target, a fresh one if nothing is known of it."""
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
