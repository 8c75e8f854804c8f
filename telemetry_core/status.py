"""The statuses of a run, and the other names people give them.

Called by the writer and by the fold, so that both spell a status the same way.
It never rejects one: a status nobody has heard of is kept unchanged.
"""

from __future__ import annotations

RUNNING = "running"
SUCCESS = "success"
FAILED = "failed"
PARTIAL = "partial"
TIMEOUT = "timeout"
CANCELLED = "cancelled"

STATUSES = (RUNNING, SUCCESS, FAILED, PARTIAL, TIMEOUT, CANCELLED)

ALIASES = {
    "failure": FAILED,
    "error": FAILED,
    "completed": SUCCESS,
    "succeeded": SUCCESS,
    "canceled": CANCELLED,
}


def normalise_status(status: str) -> str:
    """Return the status by its own name; what is not an alias comes back unchanged."""
    return ALIASES.get(status, status)
