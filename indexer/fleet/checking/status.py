"""Say how shipping is doing: what waits on this host, what the centre answered, who ships."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Optional

from indexer.fleet.checking.nodes import Node, nodes
from indexer.fleet.checking.waiting import waiting
from indexer.fleet.errors import FleetError
from indexer.fleet.node import read_identity
from indexer.fleet.shipping.state import load_state as load_shipped
from indexer.fleet.wire.address import address_of
from indexer.fleet.wire.client import FleetClient
from indexer.forward.circuit_breaker import OPEN, CircuitBreaker
from indexer.forward.target_state import load_state
from indexer.outbox.target import Target
from indexer.store.cursors import all_cursors
from indexer.system.base import Base


@dataclass(frozen=True)
class Status:
    """How shipping to one centre is doing. The fields are the keys of `--json`."""

    target: str
    address: str
    """Without secrets."""
    node: Optional[str]
    """None until this host has shipped."""
    state: str
    """`open`, `down` or `paused`."""
    last_shipped_at: Optional[str]
    last_error: Optional[str]
    """Why the last round failed; None once one has succeeded."""
    last_error_at: Optional[str]
    waiting_lines: int
    waiting_bytes: int
    oldest_waiting: Optional[str]
    """The time of the first event that waits; None if nothing waits."""
    no_answer: Optional[str]
    """Why the centre could not be asked now; None if it answered."""
    nodes: list[Node]

    @property
    def is_well(self) -> bool:
        """Whether the centre answers, and shipping goes on."""
        return self.state == OPEN and self.no_answer is None


def read_status(base: Base, connection: sqlite3.Connection, target: Target) -> Status:
    """Return how shipping is doing. Raises FleetAddressInvalid or OSError."""
    address = address_of(target)
    state = load_state(connection, target.name)
    left = waiting(base, all_cursors(connection), load_shipped(base, target.name, address))
    identity = read_identity(base)
    found: list[Node] = []
    no_answer: Optional[str] = None
    try:
        with FleetClient(address) as client:
            found = nodes(client)
    except FleetError as error:
        no_answer = str(error)
    return Status(
        target=target.name,
        address=target.shown_address,
        node=identity.node if identity else None,
        state=CircuitBreaker(1.0, 1, state.breaker).condition,
        last_shipped_at=state.last_delivered_at,
        last_error=state.last_error,
        last_error_at=state.last_error_at,
        waiting_lines=left.lines,
        waiting_bytes=left.bytes,
        oldest_waiting=left.oldest,
        no_answer=no_answer,
        nodes=found,
    )
