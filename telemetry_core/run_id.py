"""Make run ids, `YYYYMMDDTHHMMSSZ-<agent_name>-<hex>`: readable, sortable and unique.

Called by the client: when a run starts without an id of its own, and for each id it is given.
"""

from __future__ import annotations

import os
import re
from typing import Any

from telemetry_core.degrade import text_of

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME = 80
_MAX_RUN_ID = 1_000

UNKNOWN_RUN = "unknown"
"""The run of events that name none: an event without a subject would be no event."""


def new_run_id(agent_name: str, time: str) -> str:
    """Return a run id for a run that starts at `time`, a canonical timestamp.

    The hex begins with the microsecond, so runs of one agent sort by start, and goes on with
    76 random bits: two runs collide only if agent, microsecond and all of these agree.
    """
    name = _UNSAFE.sub("_", agent_name)[:_MAX_NAME] or "agent"
    second = f"{time[0:4]}{time[5:7]}{time[8:13]}{time[14:16]}{time[17:19]}Z"
    random_bits = int.from_bytes(os.urandom(10), "big") >> 4
    return f"{second}-{name}-{int(time[20:26]):05x}{random_bits:019x}"


def run_id_of(given: Any) -> str:
    """Return a caller's own run id as events and environment variables can hold it.

    Nearly always unchanged. The same id comes out the same way each time, so that all events
    of a run still meet.
    """
    text = given if isinstance(given, str) else "" if given is None else text_of(given)
    if not text.isascii() or "\0" in text:
        text = text_of(text).replace("\0", "\\0")
    return text[:_MAX_RUN_ID] or UNKNOWN_RUN
