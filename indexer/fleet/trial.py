"""Ask a centre whether it takes what this host ships, without shipping anything."""

from __future__ import annotations

from indexer.fleet.answers import result_of_failure
from indexer.fleet.schema.tables import TABLES
from indexer.fleet.wire.address import address_of
from indexer.fleet.wire.client import FleetClient
from indexer.outbox.attempt import DELIVERED, AttemptResult
from indexer.outbox.target import Target


def try_centre(target: Target) -> AttemptResult:
    """Insert nothing into every table, and read nothing from it; return how that went."""
    try:
        with FleetClient(address_of(target)) as client:
            for table in TABLES:
                columns = ", ".join(f"`{column.name}`" for column in table.sent)
                client.select(f"SELECT {columns} FROM `{table.name}` LIMIT 0")
                client.run(
                    f"INSERT INTO `{table.name}` ({columns}) SELECT {columns}"
                    f" FROM `{table.name}` LIMIT 0"
                )
    except Exception as error:
        return result_of_failure(error)
    return AttemptResult(DELIVERED, "every table can be read and written")
