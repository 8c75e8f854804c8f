"""The examination: every check in turn, whatever becomes of the one before.

Called by `telemetry doctor`. A check is imported when its turn comes, for what it needs may be
what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from indexer.doctor.finding import Finding, failure, note
from indexer.doctor.subject import Subject

CHECKS = (
    "python",
    "dependencies",
    "settings",
    "directories",
    "disk",
    "mounts",
    "inotify",
    "sqlite",
    "database",
    "daemon",
    "forwarding",
    "clock",
    "leftovers",
    "probe",
)
"""The checks in the order of the report: what others stand on comes first."""


def examine(subject: Subject) -> Iterator[Finding]:
    """Yield what every check finds. Raises nothing."""
    for name in CHECKS:
        for finding in _findings(name, subject):
            yield finding._replace(topic=name)


def _findings(name: str, subject: Subject) -> Iterator[Finding]:
    try:
        yield from import_module(f"indexer.doctor.{name}").check(subject)
    except ModuleNotFoundError as error:
        yield note(f"not examined: {error}", "see what is said of dependencies")
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        what = f"can't be examined: {error.strerror or error}{where}"
        yield failure(what, "see what is said of directories")
    except Exception as error:
        # One thing that can't be looked at must not hide the others.
        yield failure(
            f"can't be examined: {type(error).__name__}: {error}",
            "if all else is well, this is a bug of ours: tell us",
        )
