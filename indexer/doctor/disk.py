"""Check the disk: space for log and database, in bytes, files and days."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from indexer.doctor.finding import Finding, failure, ok, warning
from indexer.doctor.subject import Subject
from indexer.health.capacity import capacity
from indexer.terminal.format import size

_FULL_BYTES = 50_000_000
_FEW_FILES = 1_000


def check(subject: Subject) -> Iterator[Finding]:
    """Look at the disk of the log, and at the database's."""
    view = subject.base.database_path
    found = capacity(subject.base.log_directory, view.stat().st_size if view.is_file() else 0)
    if found.free_bytes is None:
        return
    room = f"{size(found.free_bytes)} free"
    if found.days_left is not None:
        room += f", the log grows by {size(round(found.bytes_per_day))} per day"
    if found.free_bytes < _FULL_BYTES:
        yield failure(room, "free some space now: events that don't fit are lost")
    elif found.is_low:
        yield warning(room, "free some space, or move the base directory to a larger disk")
    else:
        yield ok(room)
    for path in (subject.base.log_directory, view.parent):
        yield from _mount(path)


def _mount(path: Path) -> Iterator[Finding]:
    if sys.platform == "win32" or not path.is_dir():
        return
    status = os.statvfs(path)
    if status.f_flag & os.ST_RDONLY:
        yield failure(
            f"{path} is mounted read-only", "mount it for writing, or choose another base directory"
        )
    # Some file systems have no limit on files, and report 0 of 0.
    if status.f_files and status.f_favail < _FEW_FILES:
        yield warning(
            f"{path}: the file system has room for {status.f_favail} more files",
            "delete files there: many small files may have used them up",
        )
