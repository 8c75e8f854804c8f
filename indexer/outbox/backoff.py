"""Exponential backoff with full jitter, and the Retry-After header. Pure.

Times are in seconds; the clock and the randomness are arguments.
"""

from __future__ import annotations

from datetime import timezone
from typing import Optional

from telemetry_core.timestamp import moment_of

FIRST_SECONDS = 2.0
MAX_SECONDS = 900.0
MAX_RETRY_AFTER_SECONDS = 3600.0
"""The longest Retry-After that is honoured; a longer one counts as this."""

# 2 ** 1000 does not fit into a float, and no wait is that long.
_MAX_DOUBLINGS = 30


def backoff(failures: int, jitter: float, longest: float = MAX_SECONDS) -> float:
    """Return how many seconds to wait after `failures` failures; `jitter` is from 0 to 1.

    Doubles from 2 seconds up to `longest`. Jitter applies to the whole of it, so that what failed
    together is not retried together.
    """
    doublings = min(max(0, failures - 1), _MAX_DOUBLINGS)
    return float(jitter * min(longest, FIRST_SECONDS * 2**doublings))


def parse_retry_after(header: Optional[str], now: float) -> Optional[float]:
    """Return the seconds that a Retry-After header asks for, at most an hour.

    Reads seconds and HTTP dates. None if there is no header or it cannot be parsed.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        # More digits than fit into a float ask for longer than the maximum anyway.
        return min(float(text[:12]), MAX_RETRY_AFTER_SECONDS)
    # Imported here: it is large, and only an answer with a date needs it.
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    seconds = (moment - moment_of(now)).total_seconds()
    return min(max(0.0, seconds), MAX_RETRY_AFTER_SECONDS)


def has_come(moment: float, now: float, longest: float = MAX_RETRY_AFTER_SECONDS) -> bool:
    """Return whether a moment that was set at most `longest` ahead has come.

    One that lies further ahead was set by a clock that has been set back since.
    """
    return moment <= now or moment > now + longest
