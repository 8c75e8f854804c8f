"""Open what a reading command reads: this host's database, or with `--fleet` the centre's rows.

Either way it is a database with the same tables and views, and the command asks it the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable

import click

from indexer.cli.context import Settings, open_database

if TYPE_CHECKING:
    import sqlite3

    from indexer.fleet.reading.reader import FleetReader


@contextmanager
def open_for(
    settings: Settings, copy: Callable[[FleetReader], None]
) -> Iterator[sqlite3.Connection]:
    """Yield the database to read; of a fleet, with what `copy` has the reader copy into it.

    stderr says at a terminal which fleet it is, and anywhere what was left out.
    """
    if not settings.reads_fleet:
        with open_database(settings.base()) as connection:
            yield connection
        return
    # Imported here: HTTP is large, and nothing else needs it.
    from indexer.fleet.reading.reader import reading_fleet
    from indexer.terminal.format import warn

    with reading_fleet(settings.base(), settings.fleet) as reader:
        say_fleet(reader.name)
        copy(reader)
        for note in reader.notes:
            warn(note)
        yield reader.connection


def say_fleet(name: str) -> None:
    """Say on stderr which fleet is read, to people."""
    from indexer.terminal.console import at_terminal
    from indexer.terminal.format import plain

    if at_terminal():
        click.echo(plain(name), err=True)


def source_in_words(settings: Settings) -> str:
    """Return what is read: the base directory, or `fleet NAME at HOST`. Raises FleetError."""
    base = settings.base()
    if not settings.reads_fleet:
        return str(base.directory)
    from indexer.fleet.reading.choice import chosen_centre, in_words

    return in_words(chosen_centre(base, settings.fleet))
