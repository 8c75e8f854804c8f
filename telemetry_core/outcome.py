"""Derive a run's or span's outcome from the exception that left its block.

Called by run contexts and spans. Bounded: an exception may carry megabytes of text.
"""

from __future__ import annotations

from typing import Optional

from telemetry_core.guard import is_interrupt
from telemetry_core.redaction import after_torn_secret, without_torn_secret
from telemetry_core.status import CANCELLED, FAILED, SUCCESS

MAX_SUMMARY = 500
"""Characters of a summary: one line for people."""
MAX_DETAILS = 20_000
"""Characters of error details."""

_EXIT_NAMES = ("Exit", "ExitException")
_EXIT_CODES = ("exit_code", "code", "returncode")


def status_of(error: BaseException) -> str:
    """Return the status of a run that ended by `error`.

    What is no `Exception` is somebody's wish to stop: KeyboardInterrupt, GeneratorExit,
    asyncio's and trio's cancellation, and so is click's Abort. SystemExit, and other frameworks'
    exits such as click's and typer's, say by their code whether all was well.
    """
    if isinstance(error, SystemExit):
        return SUCCESS if error.code is None or error.code == 0 else FAILED
    name = type(error).__name__
    if name in _EXIT_NAMES:
        codes = (getattr(error, attribute, None) for attribute in _EXIT_CODES)
        code = next((code for code in codes if isinstance(code, int)), None)
        if code is not None:
            return SUCCESS if code == 0 else FAILED
    if name == "Abort" and type(error).__module__.startswith(("click.", "typer.")):
        return CANCELLED
    return FAILED if isinstance(error, Exception) else CANCELLED


def summary_of(error: BaseException) -> str:
    """Return `Type: message` as one bounded line."""
    message = one_line(_message(error))
    name = type(error).__name__
    return one_line(f"{name}: {message}") if message else name


def details_of(error: BaseException) -> Optional[str]:
    """Return the traceback with the message, bounded; None if it cannot be had."""
    try:
        # Imported here: only a run that fails needs it. Inside the `try`, for an interpreter that
        # ends imports nothing any more, and may yet close a generator with a run in it.
        import traceback

        message = _message(error)
        if len(message) <= MAX_DETAILS:
            lines = traceback.format_exception(type(error), error, error.__traceback__)
        else:
            # The formatter would copy megabytes several times over.
            lines = traceback.format_tb(error.__traceback__)
            lines.append(f"{type(error).__name__}: {cut(message, MAX_DETAILS // 2)}\n")
        return cut("".join(lines), MAX_DETAILS)
    except Exception as failure:
        if is_interrupt(failure):
            raise
        return None


def one_line(text: str, limit: int = MAX_SUMMARY) -> str:
    """Return the first line of `text` that is not blank, cut to `limit` characters."""
    # No more is looked at than could matter: the text may be very long.
    head = text[: limit * 8].strip()
    line = " ".join(head.partition("\n")[0].replace("\r", " ").split())
    return line if len(line) <= limit else without_torn_secret(line, limit - 1).rstrip() + "…"


def cut(text: str, limit: int) -> str:
    """Return `text` with its middle cut out where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    head, tail = without_torn_secret(text, half), after_torn_secret(text, len(text) - half)
    return f"{head}\n[cut: {len(text) - len(head) - len(tail)} characters]\n{tail}"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:
        if is_interrupt(failure):
            raise
        return "<unprintable>"
