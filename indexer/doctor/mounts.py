"""The check of mounts: whether the file systems give events, take WAL, and last."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.doctor.finding import Finding, note, ok, warning
from indexer.doctor.subject import Subject
from indexer.system.filesystem import filesystem_kind, is_shared

_FLEETING = {
    "tmpfs": "gone after a reboot",
    "ramfs": "gone after a reboot",
    "overlay": "gone with the container, where this is one",
}


def check(subject: Subject) -> Iterator[Finding]:
    """Look at the file systems under log and view."""
    base = subject.base
    log, view = base.log_directory, base.database_path.parent
    if is_shared(log):
        yield note(
            f"log: {filesystem_kind(log)} is shared and gives no events: the daemon looks every"
            f" {base.config.poll_interval:g} seconds",
            "let one host alone write there: its locks may not reach the others",
        )
    else:
        yield ok(f"log: {filesystem_kind(log)}")
    wants_wal = (base.config.journal_mode or "").upper() == "WAL"
    if is_shared(view) and wants_wal:
        yield warning(
            f"view: WAL is asked for, and corrupts on {filesystem_kind(view)}",
            "remove TELEMETRY_DB_JOURNAL_MODE, or name a local TELEMETRY_DB_PATH",
        )
    elif is_shared(view):
        yield note(f"view: {filesystem_kind(view)} is shared: a rollback journal instead of WAL")
    else:
        yield ok(f"view: {filesystem_kind(view)}")
    if filesystem_kind(log) in _FLEETING:
        yield note(
            f"log: what is on {filesystem_kind(log)} is {_FLEETING[filesystem_kind(log)]}",
            "name a base on a disk, or in a container a volume",
        )
