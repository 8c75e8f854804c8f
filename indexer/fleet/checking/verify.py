"""Compare all that this host has with the centre: lines, events, and rows of runs.

It reads and changes nothing, on either side.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import NamedTuple, Optional

from indexer.fleet.checking.events import EventCheck
from indexer.fleet.checking.finding import Findings
from indexer.fleet.checking.kept import first_day_kept
from indexer.fleet.checking.runs import RunCheck
from indexer.fleet.checking.segments import compare_segments
from indexer.fleet.node import read_identity
from indexer.fleet.shipping.content import Withholding
from indexer.fleet.shipping.segment_id import SegmentId
from indexer.fleet.wire.client import FleetClient
from indexer.log.segments import file_id, list_segments
from indexer.system.base import Base

_AT_ONCE = 200


class Verified(NamedTuple):
    """The result of a comparison."""

    node: Optional[str]
    """None if this host has shipped nothing yet."""
    findings: Findings


def verify(
    base: Base, connection: sqlite3.Connection, client: FleetClient, *, ships_content: bool
) -> Verified:
    """Compare. Raises FleetError or OSError."""
    identity = read_identity(base)
    node = identity.node if identity else None
    findings = Findings()
    first = first_day_kept(client)
    segments = list_segments(base.log_directory)
    kept = [one for one in segments if _is_kept(one.name, first)]
    findings.not_compared += len(segments) - len(kept)
    compare_segments(client, node, kept, findings)
    withholding = Withholding(ships_content=ships_content)
    files = frozenset(file_id(one.name) for one in kept)
    events = EventCheck(connection, client, withholding, files)
    runs = RunCheck(connection, client, withholding)
    for some in _runs(connection):
        runs.compare(events.compare(some, findings), findings)
    return Verified(node, findings)


def _is_kept(name: str, first: Optional[date]) -> bool:
    return first is None or SegmentId(0, name).day >= first


def _runs(connection: sqlite3.Connection) -> Iterator[list[str]]:
    found = connection.execute("SELECT DISTINCT run_id FROM run_events ORDER BY run_id").fetchall()
    ids = (run_id for (run_id,) in found)
    while some := list(islice(ids, _AT_ONCE)):
        yield some
