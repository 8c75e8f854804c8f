"""The errors of the indexer's side, each with what to do next.

Raised where something of the outside world (SQLite, the file system, another process) says no,
and shown once: by the command line, or by the daemon's loop.
"""

from __future__ import annotations

from telemetry_core.errors import TelemetryError


class AlreadyRunning(TelemetryError):
    """Somebody else has the lease; the message says who."""

    hint = "Wait for it, or stop it: only one indexer writes the database"


class BackupUnusable(TelemetryError):
    """A file is no backup, or a broken one; the message says what is wrong with it."""

    hint = "Choose another one; nothing was changed"


class CursorMoved(TelemetryError):
    """The database's cursor is not where this pass left it: the database was replaced."""

    hint = "The next pass starts from what the database says"


class DatabaseUnusable(TelemetryError):
    """The view can't be opened or read."""

    hint = "Run `telemetry rebuild`: it is made anew from the log, which is not harmed"


class DatabaseOutOfReach(DatabaseUnusable):
    """The file can't be opened, which says nothing of what is in it."""

    hint = (
        "See that it may be opened, and that the process has descriptors left: `telemetry doctor`"
    )


class DatabaseDamaged(DatabaseUnusable):
    """The file is no SQLite database, or a broken one."""


class Interrupted(TelemetryError):
    """Long work was told to stop; nothing of it shows."""


class NoSuchRun(TelemetryError):
    """No run, or more than one, matches what was asked for."""

    hint = "`telemetry runs` lists runs"


class NoSuchTarget(TelemetryError):
    """No target of that name is configured."""

    hint = "`telemetry forward status` lists them; docs/forwarding.md says how to add one"


class QueryFailed(TelemetryError):
    """A query was refused or went wrong; the message says why."""

    hint = "See docs/format.md for the tables and views"


class ServiceFailed(TelemetryError):
    """The system's service manager refused; the message says what it said."""

    hint = "`telemetry service install --no-start` only writes the file, and says what to run"
