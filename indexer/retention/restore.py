"""Restore a backup without losing anything that is there now.

Done while no daemon runs. The database that it replaces is kept under `backups/`. It never
overwrites a segment: the log is the source of truth, and the one there may have more.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Optional

from indexer.database.freshness import refresh_database
from indexer.database.replacement.swap import page_size_of, put_in_place
from indexer.errors import BackupUnusable, DatabaseUnusable
from indexer.log.names import free_name, is_segment_name, parse_segment_name
from indexer.retention.backup import LAST_MEMBER, LOG_FOLDER, check_database, copy_database, stamp
from indexer.retention.compression import length_of_beginning
from indexer.store import connection as database
from indexer.store.schema.check import has_our_schema
from indexer.store.sqlite_errors import translated
from indexer.system.atomic_file import link_into_place
from indexer.system.base import Base
from indexer.system.file_changes import delete
from telemetry_core.append_file import sync_path
from telemetry_core.errors import TelemetryError
from telemetry_core.storage import DATABASE_NAME, make_directory

_TEMPORARY = ".tmp-"
PUT_BACK, THERE_ALREADY, PUT_NEXT = "put back", "there already", "put next to it"


class Contents(NamedTuple):
    """What a backup contains."""

    runs: int
    events: int
    is_of_this_version: bool
    """Whether its database can be used; otherwise that is rebuilt from the log."""
    log_files: Optional[list[str]]
    """None for a backup of the database alone."""


class Restored(NamedTuple):
    """What restoring did."""

    view: bool
    """Whether the database was put in place."""
    kept_view: Optional[str]
    """Where the replaced one is kept."""
    log_files: dict[str, str]
    """What was done with each segment of the backup."""
    warning: str
    """What the following pass over the log could not do; empty if nothing."""


def inspect(base: Base, path: Path) -> Contents:
    """Check a backup and return its contents. Raises BackupUnusable, AlreadyRunning or OSError."""
    with base.rebuild_lease(), _database_of(base, path) as (_, contents):
        return contents


def restore(base: Base, path: Path) -> Restored:
    """Restore a backup, and index what the log has beyond it.

    Raises AlreadyRunning while a daemon or another command uses database or log, BackupUnusable,
    or another TelemetryError or OSError.
    """
    leases = base.indexer_lease("restore"), base.segments_lease("restore")
    with leases[0], leases[1], base.rebuild_lease(), _database_of(base, path) as (shadow, contents):
        merged = {} if contents.log_files is None else _restore_log(base, path)
        # A database of another version is rebuilt from the log, as always.
        kept = _restore_database(base, shadow) if contents.is_of_this_version else None
    warning = refresh_database(base)
    return Restored(contents.is_of_this_version, kept, merged, warning)


@contextmanager
def _database_of(base: Base, path: Path) -> Iterator[tuple[Path, Contents]]:
    """Return a copy of the backup's database, next to the live one, with the backup's contents.

    Raises BackupUnusable for what is not a backup, or cannot be used here.
    """
    if not path.is_file():
        # A pipe would be read twice, and might never end.
        raise BackupUnusable(f"{path} is not a regular file")
    shadow = base.shadow_path
    database.remove_database(shadow)
    make_directory(shadow.parent)
    try:
        names = None
        with _broken_is_unusable(path):
            if tarfile.is_tarfile(path):
                names = _unpack_database(path, shadow)
            else:
                copy_database(path, shadow)
            contents = _contents(shadow, path, names)
        if names is None and not contents.is_of_this_version:
            raise BackupUnusable(f"{path} is of another version, and has no log to rebuild from")
        yield shadow, contents
    finally:
        database.remove_database(shadow)


@contextmanager
def _broken_is_unusable(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, sqlite3.Error, DatabaseUnusable) as error:
        if isinstance(error, DatabaseUnusable):
            error.hint = ""
        raise BackupUnusable(f"{path} cannot be used: {error}") from error


def _unpack_database(path: Path, target: Path) -> list[str]:
    """Copy the database out of a backup; return the names of its segments."""
    names = []
    last = ""
    with tarfile.open(path) as tar:
        for member in tar:
            last = member.name
            name = last[len(LOG_FOLDER) :]
            if member.isreg() and member.name == DATABASE_NAME and not target.exists():
                _extract(tar, member, target)
            elif _is_log_file(member, name) and name not in names:
                names.append(name)
            elif last != LAST_MEMBER:
                again = " twice" if name in names or last == DATABASE_NAME else ""
                raise BackupUnusable(f"{path} contains {last!r}, which no backup has{again}")
    if last != LAST_MEMBER or not target.exists():
        raise BackupUnusable(f"{path} is not a complete backup")
    return names


def _is_log_file(member: tarfile.TarInfo, name: str) -> bool:
    is_plain = is_segment_name(name) and os.path.basename(name) == name
    return is_plain and member.isreg() and member.name == LOG_FOLDER + name


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = tar.extractfile(member)
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with open(fd, "wb") as out:
        if source is not None:
            shutil.copyfileobj(source, out, 1024 * 1024)
        out.flush()
        os.fsync(out.fileno())
    if target.stat().st_size != member.size:
        raise BackupUnusable(f"{member.name} is cut in the backup")


def _contents(shadow: Path, path: Path, names: Optional[list[str]]) -> Contents:
    with (
        translated(path),
        closing(sqlite3.connect(shadow, isolation_level=None)) as connection,
    ):
        check_database(connection, path)
        runs, events = connection.execute(
            "SELECT (SELECT count(*) FROM agent_runs), (SELECT count(*) FROM run_events)"
        ).fetchone()
        return Contents(runs, events, has_our_schema(connection), names)


def _restore_database(base: Base, shadow: Path) -> Optional[str]:
    """Put the copy in place of the database; return where the replaced one is kept."""
    with base.write_lease():
        kept = _keep_database(base)
        with (
            translated(shadow),
            closing(sqlite3.connect(shadow, isolation_level=None)) as connection,
        ):
            # A copy over a database has to have pages of the same size.
            connection.execute(f"PRAGMA page_size = {page_size_of(base.database_path)}")
            connection.execute("VACUUM")
            put_in_place(connection, shadow, base)
    return kept


def _keep_database(base: Base) -> Optional[str]:
    if not base.database_path.is_file():
        return None
    directory = base.backups
    make_directory(directory)
    kept = directory / f"replaced-{stamp()}.sqlite"
    try:
        copy_database(base.database_path, kept)
    except TelemetryError:
        # Damaged: kept as it is.
        shutil.copyfile(base.database_path, kept)
    return str(kept)


def _restore_log(base: Base, path: Path) -> dict[str, str]:
    """Restore what the log no longer has; return what was done with each segment."""
    directory = base.log_directory
    merged = {}
    with tarfile.open(path) as tar:
        for member in tar:
            if member.name in (DATABASE_NAME, LAST_MEMBER):
                continue
            name = member.name[len(LOG_FOLDER) :]
            # It ends like its name, which says how to read it.
            temporary = directory / (_TEMPORARY + name)
            delete(temporary)
            try:
                _extract(tar, member, temporary)
                merged[name] = _merge(temporary, directory, name)
            finally:
                delete(temporary)
    sync_path(directory)
    return merged


def _merge(temporary: Path, directory: Path, name: str) -> str:
    """Add one segment of a backup to the log, unless one of its stem begins with it."""
    stem, _, suffix, *_ = parse_segment_name(name)
    names = [other for other in os.listdir(directory) if is_segment_name(other)]
    for other in names:
        if parse_segment_name(other).stem == stem:
            with suppress(FileNotFoundError):
                if length_of_beginning(directory / other, temporary) is not None:
                    return THERE_ALREADY
    try:
        link_into_place(temporary, directory / name)
    except FileExistsError:
        # Other bytes under this name: both are kept, and repeated events are duplicates.
        link_into_place(temporary, directory / free_name(stem, suffix, names))
        return PUT_NEXT
    return PUT_BACK
