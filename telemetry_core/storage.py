"""Find the base directory, and name what is inside it.

Called by the configuration, which only looks, and by writer and indexer, which make their
directories on first use.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

DATABASE_NAME = "telemetry.sqlite"
EXTRAS = ("reports", "exports", "config", "logs", "backups")
"""Directories in the base directory other than log and database."""
BASE_VARIABLES = ("TELEMETRY_BASE_DIR", "AGENT_METRICS_DIR", "TELEMETRY_DB_PATH")
"""What names the base directory, first match wins; a database only if its directory is `db`."""
LOCATION_VARIABLES = (*BASE_VARIABLES, "TELEMETRY_NDJSON_DIR")

_WELL_KNOWN = (
    # Without a drive, a path on Windows is a different one on each.
    ("D:\\agent-metrics", "C:\\agent-metrics")
    if os.name == "nt"
    else ("/agent-metrics", "/opt/telemetry", "/data/telemetry")
)
_NAME = ".telemetry"
_UNEXPANDED = re.compile(r"\$\w|\$\{|%\w+%")


@dataclass
class Locations:
    """Where the files are."""

    base: Path
    database: Path
    log: Path
    notices: list[str] = field(default_factory=list)
    """What was wrong about a variable or a directory, and what is used instead."""


def locate(environ: Mapping[str, str], base: Optional[Path] = None) -> Locations:
    """Return where the files are, by the order that docs/configuration.md gives.

    Given a `base`, the variables say only where database and log are.
    """
    notices: list[str] = []
    named = {name: _named_path(environ, name, notices) for name in LOCATION_VARIABLES}
    database = named["TELEMETRY_DB_PATH"]
    if base is None:
        base = named["TELEMETRY_BASE_DIR"] or named["AGENT_METRICS_DIR"]
    if base is None and database is not None and database.parent.name == "db":
        base = database.parent.parent
    if base is None:
        base = _default_base(notices)
    return Locations(
        base,
        database or base / "db" / DATABASE_NAME,
        named["TELEMETRY_NDJSON_DIR"] or base / "raw",
        notices,
    )


def base_variable(environ: Mapping[str, str]) -> Optional[str]:
    """Return the variable that names the base directory; None if none does."""
    for name in BASE_VARIABLES:
        path = _named_path(environ, name, [])
        if path is not None and (name != "TELEMETRY_DB_PATH" or path.parent.name == "db"):
            return name
    return None


def well_known_bases() -> list[Path]:
    """Return the directories tried when no variable names one, in order."""
    home = _home()
    return [Path(name) for name in _WELL_KNOWN] + ([home / _NAME] if home else [])


def _named_path(environ: Mapping[str, str], name: str, notices: list[str]) -> Optional[Path]:
    """Return the path that a variable names; None if it is not set or names none.

    Text from a file that no shell has read may end in a carriage return, be quoted, or
    begin with a variable that nobody has expanded.
    """
    given = environ.get(name, "")
    text = given.strip()
    if text[:1] in ("'", '"') and text.endswith(text[0]):
        text = text[1:-1].strip()
    if not text:
        return None
    # Of another user that there is not, `~name` stays as it is.
    expanded = os.path.expanduser(text)
    is_odd = _UNEXPANDED.match(text) or not text.isprintable() or expanded.startswith("~")
    if is_odd and not os.path.exists(expanded):
        notices.append(f"{name} is {given!r}, which is not a path: it is ignored")
        return None
    if text != given:
        notices.append(f"{name} is {given!r}: {text!r} is used")
    return absolute(expanded)


def _default_base(notices: list[str]) -> Path:
    for candidate in well_known_bases():
        if _is_writable_directory(candidate):
            return candidate
    home = _home()
    if home is not None and _can_be_made(home / _NAME):
        return home / _NAME
    base = _temporary_base()
    reason = (
        f"the home directory {home} cannot be written" if home else "there is no home directory"
    )
    notices.append(f"{reason}: events go to {base}; set TELEMETRY_BASE_DIR")
    return base


def _temporary_base() -> Path:
    # Imported here, for it is large.
    import tempfile

    base = Path(tempfile.gettempdir()) / _NAME
    if sys.platform == "win32":
        return base
    try:
        is_ours = os.lstat(base).st_uid == os.geteuid()
    except FileNotFoundError:
        is_ours = True
    # Somebody else's directory of that name is not for our events.
    return base if is_ours else base.with_name(f"{_NAME}-{os.geteuid()}")


def make_directory(path: Path) -> None:
    """Make a directory and what is missing above it, all with mode 0700 whatever the umask.

    On Windows, where modes mean nothing, their access list says the same.
    A link that leads to nothing has made what it leads to. What root makes belongs to the owner
    of the directory that it is in.
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
        if creates_for_others():
            _give(path.parent, path)


def creates_for_others() -> bool:
    """Whether what this process creates could lock the owner of a base directory out of it."""
    return sys.platform != "win32" and os.geteuid() == 0


def give_to_owner_of(directory: Path, fd: int) -> None:
    """Have a file that root has just created belong to its directory's owner.

    Only for files that are surely new: a link that was there could lead to anybody's.
    """
    status = os.stat(directory)
    if sys.platform != "win32" and status.st_uid != 0:
        os.fchown(fd, status.st_uid, status.st_gid)


def _give(directory: Path, made: Path) -> None:
    status = os.stat(directory)
    if sys.platform != "win32" and status.st_uid != 0:
        os.chown(made, status.st_uid, status.st_gid, follow_symlinks=False)


def absolute(name: str) -> Path:
    """Return a path that stays the same when an agent changes its working directory later."""
    path = os.path.expanduser(name)
    try:
        return Path(os.path.abspath(path))
    except OSError:
        # The working directory is gone: the home directory is the next best place to start from.
        return (_home() or Path(os.sep)) / path


def _is_writable_directory(path: Path) -> bool:
    try:
        return path.is_dir() and os.access(path, os.W_OK | os.X_OK)
    except OSError:
        return False


def _can_be_made(path: Path) -> bool:
    """Whether a directory could be created, with all that is missing above it."""
    for parent in path.parents:
        if os.path.lexists(parent):
            return _is_writable_directory(parent)
    return False


def _home() -> Optional[Path]:
    """Return the home directory, None where there is none that could be used."""
    if sys.platform != "win32" and os.environ.get("HOME") == "":
        return _home_of_user()
    try:
        home = Path.home()
    except (RuntimeError, KeyError):
        # No HOME and no such user, as in some containers.
        return None
    return home if home.is_absolute() else None


if sys.platform != "win32":

    def _home_of_user() -> Optional[Path]:
        # Imported here: only an empty HOME needs it.
        import pwd

        try:
            return Path(pwd.getpwuid(os.getuid()).pw_dir)
        except KeyError:
            return None
