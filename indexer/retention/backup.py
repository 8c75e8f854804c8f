"""Back up the database while it is in use, and the log with it if asked.

A backup appears under its name once it is complete and on the disk. With the log it is one tar
file, which is complete or absent, and which any program can unpack. Nothing is deleted but earlier
backups of the same kind.
"""

from __future__ import annotations

import os
import re
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, NamedTuple, Optional

from indexer.errors import DatabaseDamaged, DatabaseUnusable
from indexer.log.segments import Segment, list_segments
from indexer.store import connection as database
from indexer.store.schema.check import is_ours
from indexer.store.sqlite_errors import translated
from indexer.system.atomic_file import move_into_place
from indexer.system.base import Base
from indexer.system.callbacks import Progress, no_progress
from indexer.system.file_changes import delete
from telemetry_core.append_file import sync_path
from telemetry_core.clock import CLOCK
from telemetry_core.storage import DATABASE_NAME, make_directory

LOG_FOLDER = "raw/"
"""The prefix of segments in a backup."""

LAST_MEMBER = "complete"
"""An empty file that shows that nothing was cut off."""

_TEMPORARY = ".tmp-"
_NAME = re.compile(r"telemetry-[0-9]{8}T[0-9]{6}\.[0-9]{6}Z\.(sqlite|tar)")
_PATIENCE = 3600.0
_CHUNK = 1024 * 1024


class Backup(NamedTuple):
    """A finished backup."""

    path: Path
    bytes: int
    removed: list[str]
    """Earlier ones that were deleted."""
    missed: dict[str, str]
    """Segments that could not be read, and why."""


def backup(
    base: Base,
    keep: Optional[int] = None,
    with_log: bool = False,
    on_chunk: Progress = no_progress,
) -> Backup:
    """Back up the database, and the log `with_log`; keep the `keep` newest backups of this kind.

    `on_chunk` gets the bytes of the log copied. Raises TelemetryError or OSError.
    """
    directory = base.backups
    make_directory(directory)
    # No segment is compressed or deleted while it is copied.
    with base.segments_lease("backup", _PATIENCE):
        _sweep(directory)
        path = directory / f"telemetry-{stamp()}.{'tar' if with_log else 'sqlite'}"
        copy = directory / f"{_TEMPORARY}{path.stem}.sqlite"
        missed: dict[str, str] = {}
        try:
            copy_database(base.database_path, copy)
            whole = copy
            if with_log:
                whole = directory / f"{_TEMPORARY}{path.name}"
                missed = _write_tar(whole, copy, base.log_directory, on_chunk)
            move_into_place(whole, path)
        finally:
            _sweep(directory)
    return Backup(path, path.stat().st_size, _rotate(path, keep), missed)


def stamp() -> str:
    """Return the present time as it is written in names of backups."""
    return CLOCK.tick().time.replace("-", "").replace(":", "")


def copy_database(source: Path, target: Path) -> None:
    """Copy a database that is in use to a new file, checked and synced.

    It is one snapshot, and writers go on. Raises DatabaseUnusable or OSError.
    """
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with (
        translated(target),
        closing(sqlite3.connect(target, isolation_level=None)) as copy,
    ):
        with database.reading(source) as connection:
            connection.backup(copy)
        # Otherwise it would need further files, which cannot be created on read-only media.
        copy.execute("PRAGMA journal_mode = DELETE")
        check_database(copy, source)
    sync_path(target)


def check_database(connection: sqlite3.Connection, path: Path) -> None:
    """Check that a database, a copy of `path`, is intact and ours. Raises DatabaseUnusable."""
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise DatabaseDamaged(f"{path}: {found}")
    if not is_ours(connection):
        raise DatabaseUnusable(f"{path} is not a telemetry database")


def _write_tar(
    path: Path, database_copy: Path, log_directory: Path, on_chunk: Progress
) -> dict[str, str]:
    """Write database and log into one file; return what could not be read.

    The sizes are looked up now, after the database was copied: so the log has all that it has.
    """
    files = list_segments(log_directory)
    missed = {}
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with open(fd, "wb") as out:
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            with open(database_copy, "rb") as source:
                _add(tar, DATABASE_NAME, source, database_copy.stat().st_size)
            for file in files:
                try:
                    source = open(file.path, "rb")  # noqa: SIM115  # closed below
                except OSError as error:
                    missed[file.name] = str(error)
                    continue
                with source:
                    size = _whole_lines(file, source)
                    _add(tar, LOG_FOLDER + file.path.name, source, size)
                on_chunk(size)
            tar.addfile(tarfile.TarInfo(LAST_MEMBER))
        out.flush()
        os.fsync(out.fileno())
    return missed


def _add(tar: tarfile.TarFile, name: str, source: BinaryIO, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    member.mtime = int(os.fstat(source.fileno()).st_mtime)
    source.seek(0)
    tar.addfile(member, source)


def _whole_lines(file: Segment, source: BinaryIO) -> int:
    """Return how many bytes of a segment end with its last complete line.

    The rest is being written, or was never finished: restored, it would precede another line.
    """
    if file.is_compressed:
        return file.size
    end = file.size
    while end > 0:
        start = max(0, end - _CHUNK)
        source.seek(start)
        place = source.read(end - start).rfind(b"\n")
        if place >= 0:
            return start + place + 1
        end = start
    return 0


def _rotate(newest: Path, keep: Optional[int]) -> list[str]:
    """Delete all but the newest backups of a kind; the one just made always stays."""
    if keep is None:
        return []
    others = sorted(
        path
        for path in newest.parent.iterdir()
        if _NAME.fullmatch(path.name) and path.suffix == newest.suffix and path != newest
    )
    old = others[: max(0, len(others) - (max(1, keep) - 1))]
    for path in old:
        delete(path)
    return [path.name for path in old]


def _sweep(directory: Path) -> None:
    """Delete the temporary files of a backup that was killed."""
    for path in directory.glob(f"{_TEMPORARY}telemetry-*"):
        delete(path)
