"""Remove a segment from the log without removing an event that arrived late.

Used once its lines are somewhere else, or are to be deleted. No segment is touched that somebody
wrote to since it was looked at.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.log.names import PLAIN, free_name, parse_segment_name
from indexer.log.segments import Segment, file_identity, segment_at
from indexer.system.file_changes import delete, rename
from telemetry_core.append_file import sync_path
from telemetry_core.errors import TelemetryError
from telemetry_core.lock import LOCK_NAME, SidecarLock

_PATIENCE = 2.0
"""Seconds. Writers hold the lock for less than a thousandth of one, but many may take turns."""

UNDER_LOCK_SECONDS = 0.2
"""How long to wait for another program's handle while writers wait for us."""


class SegmentInUse(TelemetryError):
    """A segment is not what it was when it was looked at, or has more than one name."""

    hint = "It stays as it is; try again later"


@contextmanager
def writers_excluded(directory: Path) -> Iterator[None]:
    """Keep writers of the shared segment out. Raises LockTimeout, SegmentInUse or OSError."""
    lock = SidecarLock(directory / LOCK_NAME)
    try:
        lock.acquire(_PATIENCE)
        if not lock.is_current():
            raise SegmentInUse(f"{directory / LOCK_NAME} was replaced while it was waited for")
        yield
    finally:
        lock.forget()


def retire_spill_file(file: Segment, names: set[str]) -> Segment:
    """Rename a spill file, which its process writes without a lock, to a name nobody writes to.

    `names` are the names of its stem, and come to have the new one. It stays part of the log. A
    write that is under way ends up in it and, since its writer checks afterwards, in a new file
    under the old name as well. Any other segment stays where it is. Raises OSError or
    SegmentInUse.
    """
    directory = file.path.parent
    name = parse_segment_name(file.path.name)
    if not name.is_spill:
        return file
    target = directory / free_name(name.stem, PLAIN, names)
    names.discard(file.path.name)
    names.add(target.name)
    rename(file.path, target)
    found = segment_at(target)
    if found is None:
        raise SegmentInUse(f"{target.name} was moved by another process")
    return found


def check_unchanged(file: Segment, size: int) -> None:
    """Check that a segment is still the file it was and `size` bytes long.

    Only `writers_excluded` keeps a plain segment so for longer. Raises SegmentInUse or OSError.
    """
    status = os.lstat(file.path)
    if stat.S_ISLNK(status.st_mode):
        raise SegmentInUse(f"{file.name} is a symbolic link")
    if not file.is_compressed and status.st_nlink != 1:
        # Writers recognise by the count of its names that a segment is gone.
        raise SegmentInUse(f"{file.name} has another name, a hard link")
    if (*file_identity(status), status.st_size) != (file.device, file.inode, size):
        raise SegmentInUse(f"{file.name} was written to or replaced in the meantime")


def unlink_synced(path: Path) -> None:
    """Delete a file, durably. Raises OSError."""
    delete(path, UNDER_LOCK_SECONDS)
    sync_path(path.parent)
