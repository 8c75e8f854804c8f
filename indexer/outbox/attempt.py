"""The result of one delivery attempt, and what follows from it.

Returned by the transports, read by whatever decides what is sent next. Pure.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

DELIVERED = "delivered"
FAILED = "failed"
"""A temporary failure: the same bytes are sent again later."""
REJECTED = "rejected"
"""This payload is refused for good: it becomes a dead letter, and others are sent."""
UNAUTHORIZED = "unauthorized"
"""The target rejected our credentials: it is paused until somebody fixes them."""

_UNAUTHORIZED_STATUSES = (401, 403)
_TEMPORARY_STATUSES = (408, 425, 429)


class AttemptResult(NamedTuple):
    """What one attempt came to."""

    outcome: str
    reason: str
    """In our own words: never what a target answered, which may repeat a secret."""
    retry_after: Optional[float] = None
    """How many seconds the target asks us to wait, if it does."""


def result_of_status(status: int, retry_after: Optional[float] = None) -> AttemptResult:
    """Return the result of an attempt that was answered with an HTTP status.

    A redirect is never followed. It counts as temporary: the target may be fixed.
    """
    reason = f"HTTP {status}{_phrase(status)}"
    if 200 <= status < 300:
        return AttemptResult(DELIVERED, reason)
    if status in _UNAUTHORIZED_STATUSES:
        return AttemptResult(UNAUTHORIZED, reason)
    if 400 <= status < 500 and status not in _TEMPORARY_STATUSES:
        return AttemptResult(REJECTED, reason)
    return AttemptResult(FAILED, reason, retry_after)


def _phrase(status: int) -> str:
    # Imported here: who only reads what became of attempts needs no names of statuses.
    from http import HTTPStatus

    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""
