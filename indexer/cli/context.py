"""Provide what every command shares: the base directory, and an up-to-date database.

It prints warnings and errors, on stderr, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

import click

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from indexer.system.base import Base

Function = TypeVar("Function", bound=Callable[..., Any])

_PATH_VARIABLES = ("TELEMETRY_DB_PATH", "TELEMETRY_NDJSON_DIR")


class Settings:
    """The options that stand before or after the command's name."""

    def __init__(self) -> None:
        self.directory: Optional[Path] = None
        """What `--base` names."""
        self.reads_fleet = False
        """Whether the centre is read, and not this host's database."""
        self.fleet: Optional[str] = None
        """The name of the centre's target; None for the only one."""
        self.verbose = False

    def base(self) -> Base:
        """Return the base directory of `--base` if it was given, else the environment's."""
        # Imported here, as in all of this file: `telemetry --version` needs none of it.
        from indexer.system.base import Base

        environment = self.environment()
        if self.directory is None:
            return Base.from_env(environment)
        return Base.at(self.directory, environment)

    def environment(self) -> dict[str, str]:
        """Return the environment, without variables that `--base` overrides."""
        overridden = _PATH_VARIABLES if self.directory is not None else ()
        return {name: value for name, value in os.environ.items() if name not in overridden}

    def log_to_stderr(self) -> None:
        """Show the indexer's log messages on stderr."""
        import logging

        level = logging.DEBUG if self.verbose else logging.INFO
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=level)

    def report(self, error: Exception) -> None:
        """Print an error: one line if it is expected, with a traceback if it is a bug."""
        from indexer.terminal.error_message import in_words
        from telemetry_core.errors import TelemetryError

        if self.verbose or not isinstance(error, (TelemetryError, OSError)):
            import traceback

            traceback.print_exception(type(error), error, error.__traceback__)
        click.echo(f"error: {in_words(error)}", err=True)


def environment_for(settings: Settings) -> None:
    """Have this process, and what it starts, record in the base directory that was named."""
    if settings.directory is not None:
        from indexer.cli.shell.entry import use_base

        use_base(str(settings.directory))


def _take_base(ctx: click.Context, _param: click.Parameter, value: Optional[str]) -> None:
    if value:
        from pathlib import Path

        ctx.ensure_object(Settings).directory = Path(os.path.abspath(os.path.expanduser(value)))


def base_option(command: Function) -> Function:
    """Add `--base`, which is accepted before the command's name and after it."""
    return click.option(
        "--base",
        metavar="DIR",
        expose_value=False,
        callback=_take_base,
        help="Base directory; overrides the environment.",
    )(command)


def _take_fleet(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Settings).reads_fleet = True


def _take_fleet_target(ctx: click.Context, _param: click.Parameter, value: Optional[str]) -> None:
    if value:
        settings = ctx.ensure_object(Settings)
        settings.reads_fleet, settings.fleet = True, value


def fleet_options(command: Function) -> Function:
    """Add `--fleet` and `--fleet-target`, accepted before the command's name and after it."""
    named = click.option(
        "--fleet-target",
        metavar="NAME",
        expose_value=False,
        callback=_take_fleet_target,
        help="The centre to read, where several are configured; implies --fleet.",
    )(command)
    return click.option(
        "--fleet",
        is_flag=True,
        expose_value=False,
        callback=_take_fleet,
        help="Read the fleet's centre, not this host's database.",
    )(named)


def json_option(command: Function) -> Function:
    """Add `--json`, which every reading command has."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON: keys are stable, times are UTC."
    )(command)


def refresh(base: Base) -> str:
    """Index new events, with a progress bar if that takes long; return a warning or nothing."""
    from indexer.database.freshness import refresh_database
    from indexer.terminal.progress import byte_progress, unread_size

    with byte_progress("indexing", lambda: unread_size(base)) as on_progress:
        return refresh_database(base, on_progress)


@contextmanager
def open_database(base: Base) -> Iterator[sqlite3.Connection]:
    """Yield the database, read-only and up to date; an empty one if nothing was recorded yet."""
    import sqlite3

    _link_to_page(base)
    if not is_recorded(base):
        with schema_only_database() as connection:
            connection.row_factory = sqlite3.Row
            yield connection
        return
    from indexer.database.up_to_date import open_if_up_to_date
    from indexer.store.sqlite_errors import translated

    current = open_if_up_to_date(base)
    if current is not None:
        with closing(current), translated(base.database_path):
            current.row_factory = sqlite3.Row
            yield current
        return
    with _after_a_pass(base) as connection:
        yield connection


@contextmanager
def _after_a_pass(base: Base) -> Iterator[sqlite3.Connection]:
    """Yield the database once it is up to date; a warning says why it may not be."""
    import sqlite3

    from indexer.database.freshness import fresh_database
    from indexer.terminal.format import warn
    from indexer.terminal.progress import byte_progress, unread_size

    with ExitStack() as stack:
        with byte_progress("indexing", lambda: unread_size(base)) as on_progress:
            fresh = stack.enter_context(fresh_database(base, on_progress))
        warn(fresh.warning)
        fresh.connection.row_factory = sqlite3.Row
        yield fresh.connection


def _link_to_page(base: Base) -> None:
    """Have run ids be links to the page, where one is served and the terminal knows links."""
    from indexer.terminal.hyperlink import use_page

    def find() -> str:
        from indexer.ui.sign_in import load_address

        address = load_address(base)
        return address.url if address.is_served() else ""

    use_page(find)


def is_recorded(base: Base) -> bool:
    """Return whether there is a log or a database; if not, say where it was looked for."""
    from indexer.log.segments import list_segments
    from indexer.terminal.format import plain

    if list_segments(base.log_directory):
        return True
    where = plain(base.log_directory)
    if base.database_path.exists():
        if not _has_runs(base):
            click.echo(f"nothing recorded yet: there is no log in {where}", err=True)
            return True
        click.echo(f"there is no log in {where}: rows are from the database only", err=True)
        return True
    click.echo(f"nothing recorded yet: there is no log in {where}", err=True)
    return False


def _has_runs(base: Base) -> bool:
    """Return whether a database has runs, or may have some: it can't be read."""
    import sqlite3

    from indexer.errors import DatabaseUnusable
    from indexer.store.connection import reading
    from indexer.store.run_queries import has_runs

    try:
        with reading(base.database_path) as connection:
            return has_runs(connection)
    except (sqlite3.Error, OSError, DatabaseUnusable):
        return True


@contextmanager
def schema_only_database() -> Iterator[sqlite3.Connection]:
    """Yield an empty database in memory: reading a base directory must not create it."""
    import sqlite3

    from indexer.store.schema.check import create_schema

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        create_schema(connection)
        yield connection
