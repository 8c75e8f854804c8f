"""The moment: what people type for a point in time, as the time it means.

Used by the commands that take `--since` or `--until`. A time without a zone is read in the
local one, as people mean it; what comes out is UTC, in its canonical spelling.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Optional

import click

from telemetry_core.duration import parse_duration
from telemetry_core.timestamp import format_time, parse_time

MOMENT_HELP = """\b
--since takes a length of time (90s, 30m, 2h, 7d, 2w), `today`, `yesterday`,
or an ISO date or time, in the local zone if it names none."""
"""For the epilog of a command."""


def moment(_ctx: click.Context, _param: click.Parameter, value: Optional[str]) -> Optional[str]:
    """Return what an option says as the moment it means. Raises BadParameter."""
    try:
        return None if value is None else format_time(_parse(value.strip().lower()))
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{value!r} is neither a length of time like 2h or 7d, nor `today` or `yesterday`,"
            " nor a date like 2026-11-22 or a time like 2026-11-22T15:30"
        ) from None


def check_order(since: Optional[str], until: Optional[str]) -> None:
    """Refuse a period that ends before it begins. Raises UsageError."""
    if since is not None and until is not None and since >= until:
        raise click.UsageError(f"--until ({until}) has to be later than --since ({since})")


def _parse(text: str) -> datetime:
    with suppress(ValueError):
        return datetime.now(timezone.utc) - parse_duration(text)
    if text in ("today", "yesterday"):
        day = datetime.now(timezone.utc).astimezone().date() - timedelta(text == "yesterday")
        return datetime.combine(day, datetime.min.time()).astimezone()
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        # `Z`, which Python reads from 3.11 on only.
        return parse_time(text)
