"""Check the file systems: whether they notify of changes, support WAL, and are permanent."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.doctor.finding import Finding, note, ok, warning
from indexer.doctor.subject import Subject
from indexer.system.filesystem import filesystem_kind, is_shared

_TEMPORARY = {
    "tmpfs": "lost at a reboot",
    "ramfs": "lost at a reboot",
    "overlay": "lost with the container, if this is one",
}


def check(subject: Subject) -> Iterator[Finding]:
    """Look at the file systems of log and database."""
    base = subject.base
    log, database = base.log_directory, base.database_path.parent
    if is_shared(log):
        yield note(
            f"log: {filesystem_kind(log)} is shared and does not notify of changes: the daemon"
            f" polls every {base.config.poll_interval:g} seconds",
            "let only one host write there: locks may not be seen by the others",
        )
    else:
        yield ok(f"log: {filesystem_kind(log)}")
    wants_wal = (base.config.journal_mode or "").upper() == "WAL"
    if is_shared(database) and wants_wal:
        yield warning(
            f"database: WAL mode is set, and corrupts on {filesystem_kind(database)}",
            "unset TELEMETRY_DB_JOURNAL_MODE, or set TELEMETRY_DB_PATH to a local file",
        )
    elif is_shared(database):
        yield note(
            f"database: {filesystem_kind(database)} is shared: a rollback journal instead of WAL"
        )
    else:
        yield ok(f"database: {filesystem_kind(database)}")
    if filesystem_kind(log) in _TEMPORARY:
        yield note(
            f"log: files on {filesystem_kind(log)} are {_TEMPORARY[filesystem_kind(log)]}",
            "choose a base directory on a disk, or on a volume in a container",
        )
