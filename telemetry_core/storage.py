"""The storage: where the base directory is, and what stands where inside it.

Called by the configuration, which only looks, and by writer and indexer, which make their
directories on first use.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

DATABASE_NAME = "telemetry.sqlite"
EXTRAS = ("reports", "exports", "config", "logs", "backups")
"""What stands in the base directory beside log and view."""
BASE_VARIABLES = ("TELEMETRY_DB_PATH", "TELEMETRY_BASE_DIR", "AGENT_METRICS_DIR")
"""What names the base directory, the first that is set."""

_WELL_KNOWN = (
    # Without a drive, a path on Windows is a different one on each.
    ("D:\\agent-metrics", "C:\\agent-metrics")
    if os.name == "nt"
    else ("/agent-metrics", "/opt/telemetry", "/data/telemetry")
)


def base_directory(environ: Mapping[str, str]) -> Path:
    """Return the base directory by the order that docs/configuration.md gives."""
    variable = base_variable(environ)
    if variable:
        named = absolute(environ[variable])
        return named.parent.parent if variable == "TELEMETRY_DB_PATH" else named
    for candidate in well_known_bases():
        if _is_writable_directory(candidate):
            return candidate
    return _home() / ".telemetry"


def base_variable(environ: Mapping[str, str]) -> Optional[str]:
    """Return the variable that names the base directory; None if none does."""
    return next((name for name in BASE_VARIABLES if environ.get(name)), None)


def well_known_bases() -> list[Path]:
    """Return the directories tried when no variable names one, in order."""
    return [Path(name) for name in _WELL_KNOWN] + [_home() / ".telemetry"]


def database_path(environ: Mapping[str, str], base: Path) -> Path:
    """Return where the view is."""
    named = environ.get("TELEMETRY_DB_PATH")
    return absolute(named) if named else base / "db" / DATABASE_NAME


def log_directory(environ: Mapping[str, str], base: Path) -> Path:
    """Return where the log is."""
    named = environ.get("TELEMETRY_NDJSON_DIR")
    return absolute(named) if named else base / "raw"


def make_directory(path: Path) -> None:
    """Make a directory and what is missing above it, all with mode 0700 whatever the umask.

    On Windows, where modes mean nothing, their access list says the same.
    A link that leads to nothing has made what it leads to.
    """
    if not os.path.isdir(path.parent):
        if path.parent == path:
            # A drive or a network share that is not there: nothing is above it.
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        make_directory(path.parent)
    try:
        _make_one(path)
    except FileExistsError:
        target = os.path.realpath(path)
        if not os.path.lexists(target):
            make_directory(Path(target))


def _make_one(path: Path) -> None:
    if sys.platform == "win32":
        from telemetry_core.windows import make_private_directory

        try:
            make_private_directory(str(path))
        except FileExistsError:
            raise
        except OSError:
            # A file system that takes no access lists, as some network shares.
            os.mkdir(path)
    else:
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)


def absolute(name: str) -> Path:
    """Return a path that stays the same when an agent changes its working directory later."""
    path = os.path.expanduser(name)
    try:
        return Path(os.path.abspath(path))
    except OSError:
        # The working directory is gone: the home directory is the next best place to start from.
        return _home() / path


def _is_writable_directory(path: Path) -> bool:
    try:
        return path.is_dir() and os.access(path, os.W_OK | os.X_OK)
    except OSError:
        return False


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        # No HOME and no such user, as in some containers. Imported here, for it is large.
        import tempfile

        return Path(tempfile.gettempdir())
