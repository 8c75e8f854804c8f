"""The verdict: what became of one attempt, and what follows from it.

Made by the carriers of what a target answered, read by whoever decides what goes next. Pure.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple, Optional

DELIVERED = "delivered"
FAILED = "failed"
"""Try it again later."""
PARKED = "parked"
"""This parcel is not wanted; the others go on."""
REFUSED = "refused"
"""The target does not let us in: nothing goes there until somebody looks at it."""

_NOT_LET_IN = (401, 403)
_AGAIN = (408, 425, 429)


class Verdict(NamedTuple):
    """What one attempt came to."""

    outcome: str
    reason: str
    """In words of ours: never what a target said, which may repeat a secret."""
    retry_after: Optional[float] = None
    """How many seconds the target asks to be left alone, if it does."""


def verdict_of(status: int, retry_after: Optional[float] = None) -> Verdict:
    """Judge an answer by its HTTP status.

    A redirect is never followed, and may be mended at the target: it is tried again.
    """
    reason = f"HTTP {status}{_phrase(status)}"
    if 200 <= status < 300:
        return Verdict(DELIVERED, reason)
    if status in _NOT_LET_IN:
        return Verdict(REFUSED, reason)
    if 400 <= status < 500 and status not in _AGAIN:
        return Verdict(PARKED, reason)
    return Verdict(FAILED, reason, retry_after)


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""
