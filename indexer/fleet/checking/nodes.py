"""List the nodes of the fleet, as each signed when it last shipped."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.fleet.schema.tables import NODE_ROWS
from indexer.fleet.wire.client import FleetClient


@dataclass(frozen=True)
class Node:
    """One node. The fields are the keys of `--json`."""

    node: str
    host: str
    software: str
    """The version of this program there."""
    shipped_at: str
    """When it last shipped, by its own clock."""
    waiting_bytes: int
    """How much of its log was indexed and not shipped then."""


def nodes(client: FleetClient) -> list[Node]:
    """Return every node, the last to ship first. Raises FleetError."""
    _, rows = client.select(
        f"SELECT node, host, software, shipped_at, waiting_bytes FROM {NODE_ROWS} FINAL"
        " ORDER BY shipped_at DESC, node"
    )
    return [
        Node(node, host, software, shipped_at, int(waiting))
        for node, host, software, shipped_at, waiting in rows
    ]
