"""The age: the option `--older-than`, a length of time.

Called by the commands that do something to old days.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Callable, TypeVar

import click

from telemetry_core.duration import parse_duration

Function = TypeVar("Function", bound=Callable[..., Any])


def _parse(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def age_option(command: Function) -> Function:
    """Add `--older-than`."""
    return click.option(
        "--older-than",
        "age",
        metavar="AGE",
        required=True,
        callback=_parse,
        help="Days that have been over for as long, as in 30d or 12w. Today is never touched.",
    )(command)
