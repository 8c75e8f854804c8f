"""Archive segments: compress those of days that are over.

A plain segment is deleted only once the same bytes were read back from its compressed one, and
while no writer can append to it. What arrives late creates a new plain segment, and that becomes a
further piece: an archive is not written again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple, Optional

from indexer.errors import Interrupted
from indexer.log.names import free_name, names_by_stem, parse_segment_name
from indexer.log.segments import Segment, list_segments
from indexer.retention.compression import (
    compress,
    default_compression,
    length_of_beginning,
    new_file,
)
from indexer.retention.removal import (
    UNDER_LOCK_SECONDS,
    SegmentInUse,
    check_unchanged,
    retire_spill_file,
    unlink_synced,
    writers_excluded,
)
from indexer.system.base import Base
from indexer.system.callbacks import Progress, no_progress
from indexer.system.file_changes import check_not_held, delete, replace
from telemetry_core.append_file import sync_path
from telemetry_core.errors import TelemetryError

_TEMPORARY = ".tmp-"
"""No segment's name begins with a dot."""
_ROUNDS = 3
"""How often a growing segment is read on without the writers' lock."""
_MOST_UNDER_LOCK = 8 * 1024 * 1024
"""Bytes; agents that have to wait longer for the lock write to their spill files."""


class Archived(NamedTuple):
    """One segment that was compressed; without the last two, one that would be."""

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
    """Return the plain segments of days that have been over for `age`. Raises OSError."""
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
    compression: str = "",
    now: Optional[datetime] = None,
    *,
    at_most: Optional[int] = None,
    on_chunk: Progress = no_progress,
) -> ArchiveResult:
    """Compress the segments of days that have been over for `age`, at most `at_most` of them.

    A segment that cannot be compressed now is left as it is and named. `on_chunk` gets the plain
    bytes done; what it raises ends the work and harms nothing. Raises AlreadyRunning if segments
    are being archived, pruned or backed up already, or OSError.
    """
    archived: list[Archived] = []
    skipped: dict[str, str] = {}
    if not files_to_archive(base, age, now):
        return ArchiveResult(archived, skipped)
    with base.segments_lease("archive"):
        _sweep(base.log_directory)
        names = names_by_stem(os.listdir(base.log_directory))
        for file in files_to_archive(base, age, now):
            if at_most is not None and len(archived) >= at_most:
                break
            stem = parse_segment_name(file.path.name).stem
            how = compression or default_compression()
            try:
                archived.append(_archive(base, file, names.setdefault(stem, set()), how, on_chunk))
            except Interrupted:
                raise
            except (TelemetryError, OSError) as error:
                skipped[file.name] = str(error)
    return ArchiveResult(archived, skipped)


def _sweep(directory: Path) -> None:
    """Delete the temporary files of an archiving that was killed."""
    for name in os.listdir(directory):
        if name.startswith(_TEMPORARY):
            delete(directory / name)


def _archive(
    base: Base, file: Segment, names: set[str], compression: str, on_chunk: Progress
) -> Archived:
    """Compress one segment; `names` are those of its stem, and come to have the new ones."""
    # At once too, so that nothing is compressed in vain.
    check_unchanged(file, file.size)
    file = retire_spill_file(file, names)
    compressed = [
        file.path.with_name(name)
        for name in sorted(names)
        if parse_segment_name(name).is_compressed
    ]
    for archived in compressed:
        length = length_of_beginning(archived, file.path)
        if length is not None:
            # Killed before this one was deleted, or it was put back.
            return _delete_archived(base, file, length, archived)
    for archived in compressed:
        if length_of_beginning(file.path, archived) is not None:
            # The same, and then somebody appended: the new archive replaces the old one.
            return _compress_and_finish(base, file, archived, archived.suffix, on_chunk)
    stem = parse_segment_name(file.path.name).stem
    target = file.path.with_name(free_name(stem, f".ndjson{compression}", names))
    names.add(target.name)
    return _compress_and_finish(base, file, target, compression, on_chunk)


def _compress_and_finish(
    base: Base,
    file: Segment,
    target: Path,
    compression: str,
    on_chunk: Progress,
) -> Archived:
    temporary = target.with_name(_TEMPORARY + target.name)
    status = os.stat(file.path)
    try:
        with new_file(temporary, like=status) as out:
            end = compress(file.path, 0, out, compression, on_chunk)
            for _ in range(_ROUNDS):
                if os.stat(file.path).st_size == end:
                    break
                end = compress(file.path, end, out, compression)
            if length_of_beginning(file.path, temporary) != end:
                raise SegmentInUse(f"{file.name} was changed while it was compressed")
            check_not_held(file.path)
            with _standing_still(base, file):
                if 0 < os.stat(file.path).st_size - end <= _MOST_UNDER_LOCK:
                    end = compress(file.path, end, out, compression)
                check_unchanged(file, end)
                check_not_held(file.path, UNDER_LOCK_SECONDS)
                # What is open can't be renamed on Windows.
                out.close()
                # Pruning goes by it: an archive is as old as what it contains.
                os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
                replace(temporary, target, UNDER_LOCK_SECONDS)
                sync_path(target.parent)
                unlink_synced(file.path)
        return Archived(file.name, end, target.name, os.stat(target).st_size)
    finally:
        delete(temporary)


def _delete_archived(base: Base, file: Segment, length: int, archived: Path) -> Archived:
    """Delete a plain segment of which the archive has every byte."""
    check_not_held(file.path)
    with _standing_still(base, file):
        check_unchanged(file, length)
        unlink_synced(file.path)
    return Archived(file.name, length, archived.name, os.stat(archived).st_size)


@contextmanager
def _standing_still(base: Base, file: Segment) -> Iterator[None]:
    """Keep writers out, and passes over the log, which would find the same lines twice."""
    with base.write_lease(), writers_excluded(file.path.parent):
        yield
