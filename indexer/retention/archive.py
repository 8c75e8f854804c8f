"""The archive: log files of days that are over, compressed.

Called by `telemetry archive` and by the daemon. A plain file is deleted only once the same bytes
were read back from its compressed one, and while no writer can append to it. What comes late all
the same makes a new plain file, and that a further piece: an archive is not written again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Callable, NamedTuple, Optional

from indexer.errors import Interrupted
from indexer.log.names import free_name, parse_segment_name
from indexer.log.segments import Segment, list_segments
from indexer.retention.compression import default_compression, length_of_beginning, new_file, pack
from indexer.retention.removal import (
    UNDER_LOCK_SECONDS,
    SegmentInUse,
    check_unchanged,
    retire_spill_file,
    unlink_synced,
    writers_excluded,
)
from indexer.system.base import Base
from indexer.system.file_changes import check_not_held, delete, replace
from telemetry_core.append_file import sync_path
from telemetry_core.errors import TelemetryError

_TEMPORARY = ".tmp-"
"""No log file begins with a dot."""
_ROUNDS = 3
"""How often a file that grows is read on without the writers' lock."""
_MOST_UNDER_LOCK = 8 * 1024 * 1024
"""Bytes; agents that wait longer for the lock than they may write to files of their own."""


class Archived(NamedTuple):
    """One file that was compressed; without the last two, one that would be."""

    file: str
    bytes_before: int
    archive: Optional[str] = None
    bytes_after: Optional[int] = None


class ArchiveResult(NamedTuple):
    """What was done, and what was left alone."""

    archived: list[Archived]
    skipped: dict[str, str]
    """Why, by name."""


def files_to_archive(base: Base, age: timedelta, now: Optional[datetime] = None) -> list[Segment]:
    """Return the plain files of days that have been over for `age`. Raises OSError."""
    now = now or datetime.now(timezone.utc)
    found = []
    for file in list_segments(base.log_directory):
        name = parse_segment_name(file.path.name)
        if not name.is_compressed and name.is_over(age, now):
            found.append(file)
    return found


def archive(
    base: Base,
    age: timedelta,
    packing: str = "",
    now: Optional[datetime] = None,
    *,
    at_most: Optional[int] = None,
    on_chunk: Callable[[int], None] = lambda _: None,
) -> ArchiveResult:
    """Compress the files of days that have been over for `age`, `at_most` so many of them.

    A file that can't be compressed now is left as it is and named. `on_chunk` is told of plain
    bytes done; what it raises ends the work and harms nothing. Raises AlreadyRunning if the log's
    files are being archived, pruned or backed up already, or OSError.
    """
    archived: list[Archived] = []
    skipped: dict[str, str] = {}
    if not files_to_archive(base, age, now):
        return ArchiveResult(archived, skipped)
    with base.segments_lease("archive"):
        _sweep(base.log_directory)
        for file in files_to_archive(base, age, now):
            if at_most is not None and len(archived) >= at_most:
                break
            try:
                archived.append(_archive(base, file, packing or default_compression(), on_chunk))
            except Interrupted:
                raise
            except (TelemetryError, OSError) as error:
                skipped[file.name] = str(error)
    return ArchiveResult(archived, skipped)


def _sweep(directory: Path) -> None:
    """Delete what an archiving that was killed has left half done."""
    for name in os.listdir(directory):
        if name.startswith(_TEMPORARY):
            delete(directory / name)


def _archive(base: Base, file: Segment, packing: str, on_chunk: Callable[[int], None]) -> Archived:
    # Also at once, lest a file is compressed in vain.
    check_unchanged(file, file.size)
    file = retire_spill_file(file)
    stem = parse_segment_name(file.path.name).stem
    names = os.listdir(file.path.parent)
    packed = [
        file.path.with_name(name)
        for name in sorted(names)
        if parse_segment_name(name).stem == stem and parse_segment_name(name).is_compressed
    ]
    for archived in packed:
        length = length_of_beginning(archived, file.path)
        if length is not None:
            # Killed before this one was deleted, or it was put back.
            return _delete_archived(base, file, length, archived)
    for archived in packed:
        if length_of_beginning(file.path, archived) is not None:
            # The same, and then somebody appended: the new archive takes the old one's place.
            return _pack_and_finish(base, file, archived, archived.suffix, on_chunk)
    target = file.path.with_name(free_name(stem, f".ndjson{packing}", names))
    return _pack_and_finish(base, file, target, packing, on_chunk)


def _pack_and_finish(
    base: Base,
    file: Segment,
    target: Path,
    packing: str,
    on_chunk: Callable[[int], None],
) -> Archived:
    temporary = target.with_name(_TEMPORARY + target.name)
    try:
        with new_file(temporary, like=os.stat(file.path)) as out:
            end = pack(file.path, 0, out, packing, on_chunk)
            for _ in range(_ROUNDS):
                if os.stat(file.path).st_size == end:
                    break
                end = pack(file.path, end, out, packing)
            if length_of_beginning(file.path, temporary) != end:
                raise SegmentInUse(f"{file.name} was changed while it was compressed")
            check_not_held(file.path)
            with _standing_still(base, file):
                if 0 < os.stat(file.path).st_size - end <= _MOST_UNDER_LOCK:
                    end = pack(file.path, end, out, packing)
                check_unchanged(file, end)
                check_not_held(file.path, UNDER_LOCK_SECONDS)
                # What is open can't be renamed on Windows.
                out.close()
                replace(temporary, target, UNDER_LOCK_SECONDS)
                sync_path(target.parent)
                unlink_synced(file.path)
        return Archived(file.name, end, target.name, os.stat(target).st_size)
    finally:
        delete(temporary)


def _delete_archived(base: Base, file: Segment, length: int, archived: Path) -> Archived:
    """Delete a plain file of which the archive has as many bytes."""
    check_not_held(file.path)
    with _standing_still(base, file):
        check_unchanged(file, length)
        unlink_synced(file.path)
    return Archived(file.name, length, archived.name, os.stat(archived).st_size)


@contextmanager
def _standing_still(base: Base, file: Segment) -> Iterator[None]:
    """Keep writers away, and passes over the log, which would find the same lines twice."""
    with base.write_lease(), writers_excluded(file.path.parent):
        yield
