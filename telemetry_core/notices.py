"""Say once, and never on stdout, what the agent's programmer should know.

`warn_once` goes to the host's own logging, for events at risk and wrong arguments. `hint_once`
goes to stderr, only at a terminal and in tests, for what is merely odd, such as a misspelled
field. Both are bounded, and neither raises.
"""

from __future__ import annotations

import os
import sys

from telemetry_core.guard import is_interrupt

_MAX_NOTICES = 1_000
_said: set[str] = set()


def _is_first(key: str) -> bool:
    if key in _said or len(_said) >= _MAX_NOTICES:
        return False
    _said.add(key)
    return True


def warn_once(key: str, text: str) -> None:
    """Log a warning, the first time that `key` is given in this process."""
    if _is_first(key):
        warn(text)


def warn(text: str) -> None:
    """Log a warning, whatever the host's logging makes of it."""
    # The interpreter may be shutting down, and a handler is the host's code: what they raise must
    # not keep an event from the next place to write it to.
    try:
        # Imported here: logging is large, and an agent whose events arrive needs none of it.
        import logging

        logging.getLogger("telemetry_core").warning("%s", text)
    except Exception as error:
        if is_interrupt(error):
            raise


def hint_once(key: str, text: str) -> None:
    """Write a line to stderr, the first time that `key` is given, where a person may read it."""
    if _somebody_reads() and _is_first(key):
        try:
            sys.stderr.write(f"telemetry: {text}\n")
        except Exception as error:
            if is_interrupt(error):
                raise


def _somebody_reads() -> bool:
    if "PYTEST_CURRENT_TEST" in os.environ:
        return True
    try:
        return sys.stderr.isatty()
    except Exception as error:
        if is_interrupt(error):
            raise
        return False
