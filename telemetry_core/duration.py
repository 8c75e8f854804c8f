"""Parse a length of time as people write it: `90s`, `30m`, `12h`, `7d` or `2w`.

Called by the configuration and the command line. Pure.
"""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LENGTH = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([smhdw])")


def parse_duration(text: str) -> timedelta:
    """Return the length of time that `text` names. Raises ValueError."""
    length = _LENGTH.fullmatch(text.strip().lower())
    if length is None:
        raise ValueError(f"{text!r} is no length of time like 90s, 30m, 12h, 7d or 2w")
    number, unit = length.groups()
    try:
        return timedelta(**{_UNITS[unit]: float(number)})
    except OverflowError:
        raise ValueError(f"{text!r} is longer than there were years") from None
