"""Check the directories: whether each exists or can be created, is ours, and is private."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from indexer.doctor.finding import Finding, failure, note, ok, warning
from indexer.doctor.subject import Subject
from indexer.system.windows.access_list import access_list, grants_to_groups
from telemetry_core.storage import EXTRAS

_SHOWN = 3


def check(subject: Subject) -> Iterator[Finding]:
    """Look at every directory of the base, and at the segments."""
    missing = []
    for name, path in subject.base.config.directories().items():
        if os.path.lexists(path):
            yield from _look_at(name, path)
        elif name in EXTRAS:
            missing.append(name)
        else:
            yield _can_be_made(name, path)
    if missing and subject.base.directory.is_dir():
        yield note(f"missing: {', '.join(missing)}", "`telemetry init` creates them")
    yield from _log_files(subject.base.log_directory)


def _look_at(name: str, path: Path) -> Iterator[Finding]:
    try:
        status = os.stat(path)
    except OSError as error:
        todo = "make it accessible, or choose another base directory"
        yield failure(f"{name}: {path}: {error.strerror}", todo)
        return
    if not stat.S_ISDIR(status.st_mode):
        yield failure(
            f"{name}: {path} is not a directory", "move it away: a directory belongs there"
        )
        return
    found = [
        *_use(name, path),
        *_owner(name, path, status),
        *_mode(name, path, status),
        *_grants(name, path),
    ]
    yield from found or [ok(f"{name}: {path}")]


def _use(name: str, path: Path) -> Iterator[Finding]:
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield failure(
            f"{name}: this user can't read and write {path}",
            f"run as its owner, or: chmod u+rwx {path}",
        )


def _owner(name: str, path: Path, status: os.stat_result) -> Iterator[Finding]:
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        yield warning(
            f"{name}: {path} belongs to user {status.st_uid}, and this is user {os.geteuid()}",
            "run agents and indexer as one user: files of one can't be read by another",
        )


def _mode(name: str, path: Path, status: os.stat_result) -> Iterator[Finding]:
    if os.name != "posix":
        return
    mode = stat.S_IMODE(status.st_mode)
    todo = f"unless this is intended: chmod 700 {path}"
    if mode & 0o002:
        yield warning(f"{name}: {path} is writable by everybody (mode {mode:04o})", todo)
    elif mode & 0o077:
        yield note(f"{name}: {path} is accessible to others (mode {mode:04o})", todo)


def _grants(name: str, path: Path) -> Iterator[Finding]:
    """Say who has access by a directory's access list; there is one on Windows only."""
    todo = f'unless that is meant: icacls "{path}" /inheritance:r /grant:r "%USERNAME%:(OI)(CI)F"'
    for grant in grants_to_groups(access_list(path)):
        if grant.may_write:
            yield warning(f"{name}: {path} can be written by the group {grant.group}", todo)
        else:
            yield note(f"{name}: {path} can be read by the group {grant.group}", todo)


def _can_be_made(name: str, path: Path) -> Finding:
    above = next(parent for parent in path.parents if os.path.lexists(parent))
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        return note(
            f"{name}: {path} does not exist yet",
            "it is created on first use or by `telemetry init`",
        )
    what = f"{name}: {path} does not exist, and can't be created in {above}"
    return failure(
        what, "set TELEMETRY_BASE_DIR to another directory, or have this one created for you"
    )


def _log_files(directory: Path) -> Iterator[Finding]:
    if not directory.is_dir() or not os.access(directory, os.R_OK | os.X_OK):
        return
    bad = [path.name for path in sorted(directory.glob("*.ndjson*")) if not _is_usable(path)]
    if bad:
        shown = ", ".join(bad[:_SHOWN]) + (", ..." if len(bad) > _SHOWN else "")
        yield failure(
            f"{len(bad)} segments can't be read and written by this user: {shown}",
            "run as their owner, or change their owner: chown",
        )


def _is_usable(path: Path) -> bool:
    # Compressed segments are never appended to.
    wanted = os.R_OK | os.W_OK if path.name.endswith(".ndjson") else os.R_OK
    return not path.is_file() or os.access(path, wanted)
