"""Format errors in one line: what happened, where, and what to do about it.

Used for errors and warnings of commands. It prints nothing and repairs nothing.
"""

from __future__ import annotations

import errno
import sqlite3

from indexer.terminal.format import plain
from telemetry_core.errors import TelemetryError

_FULL = "Free some space and try again: the log is not harmed"
_FORBIDDEN = "Run it as the owner of the base directory, or choose another one with --base"
_NO_BASE = "Set the base directory with --base or TELEMETRY_BASE_DIR"
_HINTS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENOTDIR: _NO_BASE,
    errno.EEXIST: _NO_BASE,
    errno.ENOENT: _NO_BASE,
}
_LOCKED = "End what keeps a transaction open on the database, and try again: the log is not harmed"
# What SQLite says about the same; a rebuild would fail in the same way.
_SQLITE_HINTS = {
    "is full": _FULL,
    "readonly database": _FORBIDDEN,
    "unable to open": _FORBIDDEN,
    "is locked": _LOCKED,
}


def in_words(error: BaseException) -> str:
    """Return an error in one line, with a next step where there is one."""
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        hint = _HINTS.get(error.errno or 0, "")
        return plain(f"{error.strerror}{where}" + (f". {hint}" if hint else ""))
    if isinstance(error, TelemetryError):
        error.hint = _sqlite_hint(error) or error.hint
    return plain(error)


def is_disk_full(error: BaseException) -> bool:
    """Return whether the disk was full, according to the system or to SQLite."""
    if isinstance(error, OSError):
        return _HINTS.get(error.errno or 0) == _FULL
    return _sqlite_hint(error) == _FULL


def _sqlite_hint(error: BaseException) -> str:
    cause = error.__cause__
    if not isinstance(cause, sqlite3.Error):
        return ""
    return next((hint for words, hint in _SQLITE_HINTS.items() if words in str(cause)), "")
