"""Make databases in memory, for what is folded and gone again."""

from __future__ import annotations

import sqlite3
import threading

from indexer.store.schema.check import create_schema

_of_thread = threading.local()


def database_in_memory() -> sqlite3.Connection:
    """Return an empty database with our tables, which is gone when it is closed.

    It is a copy of one that each thread keeps: that takes a third of creating all tables.
    """
    connection = sqlite3.connect(":memory:", isolation_level=None)
    _template().backup(connection)
    return connection


def _template() -> sqlite3.Connection:
    known: sqlite3.Connection | None = getattr(_of_thread, "template", None)
    if known is None:
        known = sqlite3.connect(":memory:", isolation_level=None)
        create_schema(known)
        _of_thread.template = known
    return known
