"""Run every check in turn, whatever becomes of the one before.

Used by `telemetry doctor`. A check is imported when its turn comes, because what it imports may be
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
    "writers",
    "prices",
    "ways_in",
    "clock",
    "leftovers",
    "probe",
)
"""The checks in the order of the report: first what others depend on."""


def examine(subject: Subject) -> Iterator[Finding]:
    """Yield the findings of every check. Raises nothing."""
    for name in CHECKS:
        for finding in _findings(name, subject):
            yield finding._replace(topic=name)


def _findings(name: str, subject: Subject) -> Iterator[Finding]:
    try:
        yield from import_module(f"indexer.doctor.{name}").check(subject)
    except ModuleNotFoundError as error:
        yield note(f"not checked: {error}", "see the findings on dependencies")
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        what = f"could not be checked: {error.strerror or error}{where}"
        yield failure(what, "see the findings on directories")
    except Exception as error:
        # One check that fails must not hide the others.
        yield failure(
            f"could not be checked: {type(error).__name__}: {error}",
            "if everything else is ok, please report this as a bug",
        )
