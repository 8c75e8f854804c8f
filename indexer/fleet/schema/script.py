"""Put together the statements that create the centre, or bring one up to date. Pure.

Each may be run again: it creates what is missing, adds columns for fields that are new, replaces
the views, and leaves rows as they are.
"""

from __future__ import annotations

from indexer.fleet.schema.layout import SHARDED, SINGLE, Layout, quoted
from indexer.fleet.schema.summaries import summary_views
from indexer.fleet.schema.tables import TABLES, Table
from indexer.fleet.schema.views import base_views

_DURABLE = ("fsync_after_insert = 1", "fsync_part_directory = 1")
"""What was acknowledged survives a power cut of the server."""


def init_statements(layout: Layout) -> list[str]:
    """Return all statements, in order."""
    statements = [f"CREATE DATABASE IF NOT EXISTS {quoted(layout.database)}{layout.on_cluster}"]
    for table in TABLES:
        statements += _table_statements(table, layout)
    for name, query in {**base_views(layout), **summary_views(layout)}.items():
        statements.append(
            f"CREATE OR REPLACE VIEW {layout.name(name)}{layout.on_cluster} AS\n{query}"
        )
    return statements


def script(layout: Layout) -> str:
    """Return all statements as one script."""
    return ";\n\n".join(init_statements(layout)) + ";\n"


def _table_statements(table: Table, layout: Layout) -> list[str]:
    stored = layout.stored_name(table.name)
    statements = [
        _create(table, layout),
        _add_columns(table, stored, layout),
        f"ALTER TABLE {stored}{layout.on_cluster} MODIFY SETTING {_without_memory(layout)}",
    ]
    if layout.keep_days is not None and table.expires:
        statements.append(
            f"ALTER TABLE {stored}{layout.on_cluster}"
            f" MODIFY TTL day + INTERVAL {layout.keep_days} DAY DELETE"
        )
    if layout.kind == SHARDED:
        statements += _spread(table, layout)
    return statements


def _create(table: Table, layout: Layout) -> str:
    lines = [
        f"CREATE TABLE IF NOT EXISTS {layout.stored_name(table.name)}{layout.on_cluster} (",
        _columns(table),
        ")",
        f"ENGINE = {layout.engine(table.version)}",
        f"ORDER BY ({', '.join(table.key)})",
    ]
    if table.partition:
        lines.insert(4, f"PARTITION BY {table.partition}")
    settings = (*_DURABLE, _without_memory(layout), *table.settings)
    lines.append(f"SETTINGS {', '.join(settings)}")
    return "\n".join(lines)


def _without_memory(layout: Layout) -> str:
    """Return the setting that has a table store what was inserted, deleted and is sent again.

    Newer servers no longer heed `insert_deduplicate = 0` in a request.
    """
    prefix = "non_" if layout.kind == SINGLE else ""
    return f"{prefix}replicated_deduplication_window = 0"


def _columns(table: Table) -> str:
    return ",\n".join(f"  {column.sql}" for column in table.columns)


def _add_columns(table: Table, stored: str, layout: Layout) -> str:
    """Have a table that exists get the columns of newer fields; key columns never change."""
    added = [column for column in table.columns if column.name not in table.key]
    clauses = ",\n".join(f"  ADD COLUMN IF NOT EXISTS {column.sql}" for column in added)
    return f"ALTER TABLE {stored}{layout.on_cluster}\n{clauses}"


def _spread(table: Table, layout: Layout) -> list[str]:
    """Return what creates the table that spreads rows over the shards, and brings it up to date."""
    name = layout.name(table.name)
    plain = {column.name: f"`{column.name}` {column.type}" for column in table.columns}
    columns = ",\n  ".join(plain.values())
    where = f"{name}{layout.on_cluster}"
    added = ",\n".join(
        f"  ADD COLUMN IF NOT EXISTS {column}"
        for column_name, column in plain.items()
        if column_name not in table.key
    )
    engine = layout.distributed(table.name, table.sharding)
    return [
        f"CREATE TABLE IF NOT EXISTS {where} (\n  {columns}\n)\nENGINE = {engine}",
        f"ALTER TABLE {where}\n{added}",
    ]
