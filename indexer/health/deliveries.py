"""The overview: how forwarding is, target by target, with the keys that --json shows.

Called by `telemetry status`, by `telemetry forward status` and by the doctor. It only reads, and
shows no secret.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any, Optional

from indexer.forward.circuit_breaker import Gate
from indexer.forward.target_state import load_state
from indexer.outbox.receipts import dead_letters
from indexer.outbox.target import Target
from indexer.outbox.targets import load_targets
from indexer.system.base import Base

OFF, UNKNOWN = "off", "unknown"


def overview(base: Base, connection: sqlite3.Connection) -> dict[str, Any]:
    """Return every target, what waits for it, and what is wrong with the settings."""
    loaded = load_targets(base)
    waiting: dict[str, tuple[int, str]] = {
        name: (count, oldest)
        for name, count, oldest in connection.execute(
            "SELECT target, count(*), min(changed_at) FROM outbox GROUP BY target"
        )
    }
    dead = Counter(letter.target for letter in dead_letters(connection))
    known: dict[str, Optional[Target]] = {target.name: target for target in loaded.targets}
    # What waits for a target that is not configured here may be another process's business.
    names = [*known, *sorted(waiting.keys() - known.keys() - set(loaded.off)), *loaded.off]
    return {
        "problems": list(loaded.problems),
        "targets": [
            _target(connection, name, known.get(name), name in loaded.off)
            | {
                "waiting": waiting.get(name, (0, ""))[0],
                "oldest_waiting": waiting.get(name, (0, None))[1],
                "dead": dead[name],
            }
            for name in names
        ],
    }


def _target(
    connection: sqlite3.Connection, name: str, target: Optional[Target], is_off: bool
) -> dict[str, Any]:
    state = load_state(connection, name)
    # Whether it is open, down or paused is the gate's to say.
    condition = Gate(1.0, 1, state.gate).condition if target else UNKNOWN
    return {
        "name": name,
        "kind": target.kind if target else None,
        "address": target.shown_address if target else None,
        "state": OFF if is_off else condition,
        "last_delivered_at": state.last_delivered_at,
        "last_error": state.last_error,
        "last_error_at": state.last_error_at,
    }
