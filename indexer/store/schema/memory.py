"""Make databases in memory, for what is folded and gone again."""

from __future__ import annotations

import sqlite3
import threading

from indexer.store.schema.check import create_schema


class _Template:
    """An empty database with our tables, closed with the thread that keeps it."""

    def __init__(self) -> None:
        # What a thread kept is let go when it ends, which may be by another thread.
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        create_schema(self.connection)

    def __del__(self) -> None:
        self.connection.close()


_of_thread = threading.local()


def database_in_memory() -> sqlite3.Connection:
    """Return an empty database with our tables, which is gone when it is closed.

    It is a copy of one that each thread keeps: that takes a third of creating all tables.
    """
    connection = sqlite3.connect(":memory:", isolation_level=None)
    template: _Template | None = getattr(_of_thread, "template", None)
    if template is None:
        template = _of_thread.template = _Template()
    template.connection.backup(connection)
    return connection
