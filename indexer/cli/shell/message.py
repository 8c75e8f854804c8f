"""Print what commands for shell scripts have to say: data on stdout, errors on stderr.

Called by these commands. A stream that is closed or full costs the message, and nothing else.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO


def say(text: str) -> None:
    """Write what is wrong, on stderr."""
    _write(sys.stderr, f"telemetry: {text}\n")


def answer(text: str) -> bool:
    """Write a line of data on stdout; say whether it got there."""
    return _write(sys.stdout, f"{text}\n")


def _write(stream: TextIO, text: str) -> bool:
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError, AttributeError):
        # Python would try once more at exit, and end with a code of its own.
        silent = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # for good
        if stream is sys.stdout:
            sys.stdout = silent
        else:
            sys.stderr = silent
        return False
    return True
