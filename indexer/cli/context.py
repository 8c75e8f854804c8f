"""The context of a command: which base it is about, and the view brought up to date.

Called by every command. It prints warnings and errors, on stderr, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

import click

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from indexer.system.base import Base

Function = TypeVar("Function", bound=Callable[..., Any])

_PATH_VARIABLES = ("TELEMETRY_DB_PATH", "TELEMETRY_NDJSON_DIR")


class Settings:
    """What the options before and after the command's name said."""

    def __init__(self) -> None:
        self.directory: Optional[Path] = None
        """What `--base` names."""
        self.verbose = False

    def base(self) -> Base:
        """Return the base: that of `--base` if given, else the one that the environment names."""
        # Imported here, as in all of this file: `telemetry --version` needs none of it.
        from indexer.system.base import Base

        environment = self.environment()
        if self.directory is None:
            return Base.from_env(environment)
        return Base.at(self.directory, environment)

    def environment(self) -> dict[str, str]:
        """Return the variables that count: `--base` overrules those that name paths inside it."""
        overruled = _PATH_VARIABLES if self.directory is not None else ()
        return {name: value for name, value in os.environ.items() if name not in overruled}

    def log_to_stderr(self) -> None:
        """Show what the indexer logs."""
        import logging

        level = logging.DEBUG if self.verbose else logging.INFO
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=level)

    def report(self, error: Exception) -> None:
        """Print an error: one line if it is ours or the system's, a traceback if it is a bug."""
        from indexer.terminal.error_message import in_words
        from telemetry_core.errors import TelemetryError

        if self.verbose or not isinstance(error, (TelemetryError, OSError)):
            import traceback

            traceback.print_exception(type(error), error, error.__traceback__)
        click.echo(f"error: {in_words(error)}", err=True)


def environment_for(settings: Settings) -> None:
    """Have this process, and what it starts, record in the base directory that was named."""
    if settings.base is not None:
        from indexer.cli.shell.entry import use_base

        use_base(str(settings.base))


def _take_base(ctx: click.Context, _param: click.Parameter, value: Optional[str]) -> None:
    if value:
        from pathlib import Path

        ctx.ensure_object(Settings).directory = Path(os.path.abspath(os.path.expanduser(value)))


def base_option(command: Function) -> Function:
    """Add `--base`, which may stand before the command's name or after it."""
    return click.option(
        "--base",
        metavar="DIR",
        expose_value=False,
        callback=_take_base,
        help="The base directory, instead of what the environment names.",
    )(command)


def json_option(command: Function) -> Function:
    """Add `--json`, which every reading command has."""
    return click.option(
        "--json", "as_json", is_flag=True, help="JSON on stdout: keys are stable, times UTC."
    )(command)


def refresh(base: Base) -> str:
    """Index what is new, with a progress bar if that takes long; return a warning or nothing."""
    from indexer.database import freshness as fresh
    from indexer.terminal.error_message import in_words, is_disk_full
    from indexer.terminal.progress import byte_progress, unread_size
    from telemetry_core.errors import TelemetryError

    with byte_progress("indexing", unread_size(base)) as on_progress:
        try:
            return fresh.refresh_database(base, on_progress)
        except (TelemetryError, OSError) as error:
            # What was indexed before the disk was full can be read all the same.
            if not is_disk_full(error) or not _has_database(base):
                raise
            return f"the view may be stale, for it can't be written to: {in_words(error)}"


def _has_database(base: Base) -> bool:
    from indexer.store.connection import has_our_schema, reading
    from telemetry_core.errors import TelemetryError

    try:
        with reading(base.database_path) as connection:
            return has_our_schema(connection)
    except TelemetryError:
        return False


@contextmanager
def open_database(base: Base) -> Iterator[sqlite3.Connection]:
    """Give the view, read-only and up to date; an empty one where nothing was recorded yet."""
    import sqlite3

    if not is_recorded(base):
        with schema_only_database() as connection:
            connection.row_factory = sqlite3.Row
            yield connection
        return
    from indexer.store.connection import reading
    from indexer.terminal.format import warn

    warn(refresh(base))
    with reading(base.database_path) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def is_recorded(base: Base) -> bool:
    """Whether there is a log or a database at all; if not, say where it was looked for."""
    from indexer.log.segments import list_segments
    from indexer.terminal.format import plain

    if list_segments(base.log_directory):
        return True
    where = plain(base.log_directory)
    click.echo(f"nothing recorded yet: there is no log in {where}", err=True)
    return base.database_path.exists()


@contextmanager
def schema_only_database() -> Iterator[sqlite3.Connection]:
    """Give a view without rows, in memory: looking at a base must not create it."""
    import sqlite3
    from contextlib import closing

    from indexer.store.connection import create_schema

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        create_schema(connection)
        yield connection
