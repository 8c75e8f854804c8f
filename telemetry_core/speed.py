"""Say whether the compiled extension is used, and hand out what it makes.

Called by what has a fast way in C. The extension is optional: all that it does is done in Python
too, which is the reference, and which takes over whatever is unusual.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Callable, Optional

if TYPE_CHECKING:
    from telemetry_core._speed import Appender, Ticker

UsualRows = Callable[
    [list[bytes], int, int, Callable[[bytes], Any], Callable[[Any], bytes]],
    tuple[list[Optional[tuple[Any, ...]]], list[tuple[int, int]]],
]
"""Makes rows of lines; see `usual_rows` in _speed.pyi."""

PURE_VARIABLE = "TELEMETRY_PURE"
"""Set to anything but 0: nothing compiled is used. Read once, at the first import."""
_OLDEST = (3, 10)
_INTERFACE = 4
"""What the extension has to have; one that was built of other sources is not used."""


def _why_pure() -> str:
    if os.environ.get(PURE_VARIABLE, "") not in ("", "0"):
        return f"{PURE_VARIABLE} is set"
    # A checkout that another Python built has the file all the same.
    if sys.implementation.name != "cpython" or sys.version_info < _OLDEST:
        return "it needs CPython 3.10 or newer"
    if "t" in getattr(sys, "abiflags", ""):
        return "it is not for free-threaded builds of Python"
    try:
        from telemetry_core._speed import INTERFACE
    except ModuleNotFoundError:
        return "it is not in this installation, for it was installed without a C compiler"
    except Exception as error:  # a file of another machine may fail in any way
        return f"it could not be loaded: {error}"
    return "" if INTERFACE == _INTERFACE else "it was built of other sources; install again"


WHY_PURE = _why_pure()
"""Why Python does it all here, in words; empty where the extension is used."""


def new_ticker() -> Optional[Ticker]:
    """Return what makes ids and times in C, None where the extension is not used."""
    if WHY_PURE:
        return None
    from telemetry_core._speed import Ticker

    return Ticker()


def new_appender() -> Optional[Appender]:
    """Return what appends in C for one writer, None where the extension is not used."""
    if WHY_PURE:
        return None
    from telemetry_core._speed import Appender

    return Appender()


def usual_rows_in_c() -> Optional[UsualRows]:
    """Return what makes rows of usual lines in C, None where the extension is not used."""
    if WHY_PURE:
        return None
    from telemetry_core._speed import usual_rows

    return usual_rows
