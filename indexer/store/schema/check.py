"""Check whether a database is ours, and whether its schema is the one of this version.

It creates the schema in an empty database, and writes nothing else.
"""

from __future__ import annotations

import re
import sqlite3

from indexer.store.schema.script import APPLICATION_ID, schema_sql, schema_statements
from telemetry_core.run_fields import SCHEMA_VERSION

_CREATED = re.compile(r"CREATE (TABLE|INDEX|VIEW) (\w+)")


def create_schema(connection: sqlite3.Connection) -> None:
    """Create all tables, indexes and views in an empty database, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in schema_sql().split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether the database has no tables at all: it was only just created."""
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(objects == 0)


def is_ours(connection: sqlite3.Connection) -> bool:
    """Whether the database is ours, of whatever version."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    return bool(application == APPLICATION_ID)


def has_our_schema(connection: sqlite3.Connection) -> bool:
    """Whether the database is ours, of this version, and its schema is unchanged."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return is_ours(connection) and version == SCHEMA_VERSION and not differences(connection)


def differences(connection: sqlite3.Connection) -> list[str]:
    """Return in which tables, indexes, views or triggers a database differs from the schema.

    Tables, views and plain indexes that a user added are no difference. A trigger or a unique
    index on one of our tables is: it could refuse or change what an agent recorded.
    """
    expected = _expected()
    found: dict[tuple[str, str], str] = {}
    foreign: list[str] = []
    for kind, name, table, sql in connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    ):
        if (kind, name) in expected:
            found[kind, name] = sql
        elif ("table", table) in expected and (kind == "trigger" or "UNIQUE" in sql.upper()):
            foreign.append(f"{kind} {name} on {table}")
    changed = [
        f"{kind} {name}" for (kind, name), sql in expected.items() if found.get((kind, name)) != sql
    ]
    return changed + foreign


def _expected() -> dict[tuple[str, str], str]:
    """Return the SQL of each object of the schema, by type and name."""
    objects = {}
    for statement in schema_statements():
        created = _CREATED.match(statement)
        if created:
            objects[created[1].lower(), created[2]] = statement
    return objects
