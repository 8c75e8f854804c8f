"""The errors of the indexer's side, each with a next step.

Raised where the outside world (SQLite, the file system, another process) refuses, and shown once:
by the command line, or by the daemon's loop.
"""

from __future__ import annotations

from telemetry_core.errors import TelemetryError


class AlreadyRunning(TelemetryError):
    """Another process holds the lease; the message names it."""

    hint = "Wait for it, or stop it: only one indexer writes the database"


class BackupUnusable(TelemetryError):
    """A file is not a backup, or is damaged; the message says what is wrong with it."""

    hint = "Choose another backup; nothing was changed"


class CursorMoved(TelemetryError):
    """The database's cursor is not where this pass left it: the database was replaced."""

    hint = "The next pass continues from the database's own cursors"


class DatabaseUnusable(TelemetryError):
    """The database cannot be opened or read."""

    hint = "Run `telemetry rebuild` to rebuild it from the log, which is unharmed"


class DatabaseUnreachable(DatabaseUnusable):
    """The file cannot be opened, which says nothing about its contents."""

    hint = "Check its permissions and the process's open-file limit: `telemetry doctor`"


class DatabaseDamaged(DatabaseUnusable):
    """The file is not a SQLite database, or is damaged, or its schema was changed."""


class DatabaseBusy(DatabaseUnusable):
    """Another process kept the database locked for longer than we wait; nothing was changed."""

    hint = "End what keeps a transaction open on the database, then try again"


class NotOurDatabase(DatabaseUnusable):
    """The database file belongs to another program; it is never written to."""

    hint = (
        "Set TELEMETRY_DB_PATH to a file of its own, or move this file away if it is not needed:"
        " the database is then built from the log"
    )


class Interrupted(TelemetryError):
    """Long work was asked to stop; it left no trace."""


class NoSuchRun(TelemetryError):
    """No run, or more than one, matches what was asked for."""

    hint = "`telemetry runs` lists runs"


class NoSuchTarget(TelemetryError):
    """No target of that name is configured."""

    hint = "`telemetry forward status` lists them; `telemetry docs forwarding` says how to add one"


class OutOfMemory(TelemetryError):
    """There was not enough memory for a pass; nothing of it was written, and nothing is lost."""

    hint = "Free some memory, or raise the process's limit, and index again"


class QueryFailed(TelemetryError):
    """A query was refused or failed; the message says why."""

    hint = "`telemetry docs format` has the tables and views"


class RowsWouldBeLost(TelemetryError):
    """A rebuild would drop events that are in the database but in no readable segment."""

    hint = (
        "Make the missing segments readable again (restore them from a backup), or run"
        " `telemetry rebuild --force` to drop these rows"
    )


class ServiceFailed(TelemetryError):
    """The system's service manager refused; the message quotes it."""

    hint = "`telemetry service install --no-start` only writes the file, and says what to run"


class SettingsNotWritten(TelemetryError):
    """A settings file of another tool cannot be merged into."""
