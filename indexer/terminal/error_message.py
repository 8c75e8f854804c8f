"""The words for what went wrong: what it was, where, and what to do about it.

Called by the context of a command, for errors and warnings. It prints nothing and repairs nothing.
"""

from __future__ import annotations

import errno
import sqlite3

from indexer.terminal.format import plain
from telemetry_core.errors import TelemetryError

_FULL = "Free some space and try again: the log is not harmed"
_FORBIDDEN = "Run it as the user who owns the base directory, or name another one with --base"
_NO_BASE = "Name a base directory with --base or TELEMETRY_BASE_DIR"
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
# What SQLite says in its own words of the same, and a rebuild would meet as well.
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
    """Whether there was no room on the disk, in the words of the system or of SQLite."""
    if isinstance(error, OSError):
        return _HINTS.get(error.errno or 0) == _FULL
    return _sqlite_hint(error) == _FULL


def _sqlite_hint(error: BaseException) -> str:
    cause = error.__cause__
    if not isinstance(cause, sqlite3.Error):
        return ""
    return next((hint for words, hint in _SQLITE_HINTS.items() if words in str(cause)), "")
