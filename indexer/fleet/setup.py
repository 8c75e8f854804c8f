"""Create the centre's database, tables and views, or bring them up to date.

Used by `telemetry fleet init`. Every statement may be run again.
"""

from __future__ import annotations

from indexer.fleet.schema.layout import Layout
from indexer.fleet.schema.script import init_statements
from indexer.fleet.wire.client import FleetClient


def create_centre(client: FleetClient, layout: Layout) -> int:
    """Run all statements; return how many there were. Raises FleetError."""
    statements = init_statements(layout)
    for statement in statements:
        # The database may not be there yet, so that no statement may rely on it.
        client.run(statement, in_database=False)
    return len(statements)
