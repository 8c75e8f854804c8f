"""Time zones by name, and the zone of this machine with its changes to summer time."""

from __future__ import annotations

import os
from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo

_LOCALTIME = "/etc/localtime"


def zone_named(name: str) -> tzinfo:
    """Return a zone by its IANA name, or this machine's zone for no name. Raises ValueError."""
    if not name:
        return local_zone()
    if name.upper() == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError(f"{name!r} is not a time zone like Europe/Berlin") from None


def local_zone() -> tzinfo:
    """Return this machine's zone; where its name cannot be found out, its present offset."""
    name = os.environ.get("TZ", "").lstrip(":") or os.path.realpath(_LOCALTIME)
    try:
        return ZoneInfo(name.rpartition("zoneinfo/")[2])
    except (OSError, ValueError, LookupError):
        offset = datetime.now(timezone.utc).astimezone().tzinfo
        return offset or timezone.utc
