"""Keep how it went to ask a centre for the rules on it, for `telemetry status`. It only stores."""

from __future__ import annotations

import sqlite3

from indexer.forward.target_state import TargetState, load_state

_PREFIX = "alerts-on:"
"""No target's name has a colon."""


def load_watch(connection: sqlite3.Connection, centre: str) -> TargetState:
    """Return how it went to ask a centre for the rules on it.

    Its `last_delivered_at` is when the centre last answered.
    """
    return load_state(connection, f"{_PREFIX}{centre}")
