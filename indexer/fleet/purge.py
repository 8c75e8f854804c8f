"""Delete from the centre what a redaction replaced on a host, so that it can be shipped again.

Rows with a secret in them would stay otherwise: a redacted line is another content under the same
id. The server rewrites its files before this returns.
"""

from __future__ import annotations

from collections.abc import Collection

from indexer.fleet.schema.layout import quoted, text
from indexer.fleet.schema.tables import (
    EVENT_ROWS,
    LOG_LINES,
    METRIC_ROWS,
    RUN_ROWS,
    SPAN_ROWS,
)
from indexer.fleet.wire.client import FleetClient

_OF_RUNS = (RUN_ROWS, SPAN_ROWS, METRIC_ROWS)


def purge_segments(
    client: FleetClient, node: str, names: Collection[str], numbers: Collection[int]
) -> set[int]:
    """Delete all that came from segments of a node, by name or by number; return their numbers.

    With them go the rows of the runs that had events there: shipping the segments again makes
    them anew. Raises FleetError.
    """
    found = _numbers(client, node, names) | set(numbers)
    if not found:
        return found
    listed = ", ".join(map(str, sorted(found)))
    of_segments = f"node = {text(node)} AND segment IN ({listed})"
    for table in _OF_RUNS:
        runs = f"SELECT DISTINCT run_id FROM {quoted(EVENT_ROWS)} WHERE {of_segments}"
        _delete(client, table, f"run_id IN ({runs})")
    _delete(client, EVENT_ROWS, of_segments)
    _delete(client, LOG_LINES, of_segments)
    return found


def _numbers(client: FleetClient, node: str, names: Collection[str]) -> set[int]:
    if not names:
        return set()
    listed = ", ".join(map(text, sorted(names)))
    _, rows = client.select(
        f"SELECT DISTINCT segment FROM {LOG_LINES} WHERE node = {text(node)} AND name IN ({listed})"
    )
    return {int(row[0]) for row in rows}


def _delete(client: FleetClient, table: str, condition: str) -> None:
    stored, cluster = _where_rows_are(client, table)
    on_cluster = f" ON CLUSTER {quoted(cluster)}" if cluster else ""
    # Waited for on all replicas: what is shipped next must not be deleted as well.
    client.run(
        f"ALTER TABLE {quoted(stored)}{on_cluster} DELETE WHERE {condition}",
        mutations_sync="2",
        allow_nondeterministic_mutations="1",
    )


def _where_rows_are(client: FleetClient, table: str) -> tuple[str, str]:
    """Return the table that holds the rows, and its cluster if it is spread over one."""
    _, rows = client.select(
        "SELECT engine, engine_full FROM system.tables"
        f" WHERE database = {text(client.address.database)} AND name = {text(table)}"
    )
    if rows and rows[0][0] == "Distributed":
        cluster = str(rows[0][1]).partition("(")[2].split(",")[0].strip().strip("'\"")
        return f"{table}_local", cluster
    return table, ""
