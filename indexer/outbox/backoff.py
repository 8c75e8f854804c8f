"""The waiting: how long before the next attempt, in seconds.

Called by whoever decides what goes next. Pure: time and dice are given.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Optional

FIRST_SECONDS = 2.0
LONGEST_SECONDS = 900.0
LONGEST_ASKED_SECONDS = 3600.0
"""A target may ask for patience within reason: beyond this it is asked again whatever it said."""

# 2 ** 1000 seconds are no float, and nobody lives to see them.
_MAX_DOUBLINGS = 30


def backoff(failures: int, dice: float, longest: float = LONGEST_SECONDS) -> float:
    """Return how long to wait after so many failures, `dice` being anything from 0 to 1.

    Exponential up to `longest`, with full jitter: those who failed together do not come back
    together.
    """
    doublings = min(max(0, failures - 1), _MAX_DOUBLINGS)
    return float(dice * min(longest, FIRST_SECONDS * 2**doublings))


def asked_patience(header: Optional[str], now: float) -> Optional[float]:
    """Read a Retry-After, in seconds or as a date; None if there is none or it makes no sense."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        # Too many digits for an int are too many seconds for anybody.
        return min(float(text[:12]), LONGEST_ASKED_SECONDS)
    # Imported here: it is large, and only an answer with a date needs it.
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    seconds = (moment - datetime.fromtimestamp(now, timezone.utc)).total_seconds()
    return min(max(0.0, seconds), LONGEST_ASKED_SECONDS)


def is_time(moment: float, now: float, longest: float = LONGEST_ASKED_SECONDS) -> bool:
    """Whether a moment that was set at most `longest` ahead has come.

    One that lies further ahead was set by a clock that has been put back since.
    """
    return moment <= now or moment > now + longest
