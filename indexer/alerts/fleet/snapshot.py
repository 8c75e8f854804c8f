"""Take from a centre, at one time, what all rules on it look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, Optional

from indexer.alerts import rule as rules
from indexer.alerts.evaluation import SQL_ROWS, SQL_SECONDS, Evaluation, Selected
from indexer.alerts.fleet.needs import copy_for
from indexer.alerts.rule import Rule
from indexer.alerts.times.durations import NEVER, moment
from indexer.fleet.errors import FleetQueryFailed
from indexer.fleet.reading.choice import in_words
from indexer.fleet.reading.copy import MOST_ROWS, Copy
from indexer.fleet.reading.query import FleetSql
from indexer.fleet.reading.reader import memory_database
from indexer.fleet.wire.client import FleetClient
from indexer.outbox.target import Target
from indexer.system.base import Base


class Wanted(NamedTuple):
    """A rule that needs something of the centre."""

    rule: Rule
    started_at: str
    """When it was first seen."""


_VERSION = "SELECT sum(cityHash64(node, shipped)) FROM node_rows FINAL"


@dataclass(frozen=True)
class Snapshot:
    """What some rules look at, as of one time."""

    on: Evaluation
    wanted: tuple[Wanted, ...]
    """The rules that it has everything for."""
    faults: Mapping[str, str]
    """Of rules whose query the centre could not run, why."""
    notes: tuple[str, ...]
    """What was left out for being too much."""
    version: int
    """Changes when a host ships."""


def take_snapshot(
    base: Base,
    target: Target,
    client: FleetClient,
    wanted: tuple[Wanted, ...],
    now: datetime,
    *,
    last: Optional[Snapshot] = None,
) -> Snapshot:
    """Ask the centre; rows of the last snapshot are kept where no host has shipped since.

    Raises FleetError.
    """
    # Before the rows: what is shipped meanwhile makes the next snapshot a new one.
    ((version,),) = client.select(_VERSION)[1]
    if last is not None and (last.version, last.wanted) == (version, wanted):
        taken = replace(last, on=replace(last.on, now=now))
    else:
        taken = _copied(base, client, wanted, now, version)
    selected, faults = _selected(FleetSql(client, in_words(target), SQL_SECONDS), wanted)
    return replace(taken, on=replace(taken.on, selected=selected), faults=faults)


def _copied(
    base: Base, client: FleetClient, wanted: tuple[Wanted, ...], now: datetime, version: int
) -> Snapshot:
    connection = memory_database(base.config.stale_after)
    try:
        copy = Copy(client, connection, MOST_ROWS)
        on = Evaluation(base, connection, now)
        for rule, started_at in wanted:
            copy_for(rule, copy, on, moment(started_at) or NEVER)
    except BaseException:
        connection.close()
        raise
    # Facts are read by their places.
    connection.row_factory = None
    return Snapshot(on, wanted, {}, tuple(dict.fromkeys(copy.notes)), version)


def _selected(
    fleet: FleetSql, wanted: tuple[Wanted, ...]
) -> tuple[dict[str, Selected], dict[str, str]]:
    found: dict[str, Selected] = {}
    faults: dict[str, str] = {}
    for rule, _ in wanted:
        if rule.kind != rules.SQL:
            continue
        try:
            result = fleet.run(rule.query)
        except FleetQueryFailed as error:
            faults[rule.name] = str(error)
            continue
        rows = [tuple(row) for row in result.rows[:SQL_ROWS]]
        found[rule.name] = Selected(list(result.columns), rows)
    return found, faults
