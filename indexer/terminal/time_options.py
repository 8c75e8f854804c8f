"""Parse the options that name a time: `--since`, `--until` and `--older-than`.

Used by the commands. A time without a zone is read in the local zone, as people mean it; the
result is UTC in its canonical spelling.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Optional, TypeVar

import click

from telemetry_core.duration import parse_duration
from telemetry_core.timestamp import format_time, parse_time

Function = TypeVar("Function", bound=Callable[..., Any])

MOMENT_HELP = """\b
--since and --until take an age (90s, 30m, 2h, 7d, 2w), `today`, `yesterday`,
or an ISO date or time, in the local zone if it names none."""
"""For the epilog of a command that takes `--since`."""


def moment(_ctx: click.Context, _param: click.Parameter, value: Optional[str]) -> Optional[str]:
    """Return the time that an option names, as a click callback. Raises BadParameter."""
    try:
        return None if value is None else format_time(_parse(value.strip().lower()))
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{value!r} is not an age like 2h or 7d, `today`, `yesterday`,"
            " a date like 2026-11-22 or a time like 2026-11-22T15:30"
        ) from None


def check_order(since: Optional[str], until: Optional[str]) -> None:
    """Refuse a period that ends before it begins. Raises UsageError."""
    if since is not None and until is not None and since >= until:
        raise click.UsageError(f"--until ({until}) must be later than --since ({since})")


def age_option(command: Function) -> Function:
    """Add `--older-than`, which gives the command a timedelta named `age`."""
    return click.option(
        "--older-than",
        "age",
        metavar="AGE",
        required=True,
        callback=_parse_age,
        help="Only days that ended at least this long ago, as in 30d or 12w; never today.",
    )(command)


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


def _parse_age(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
