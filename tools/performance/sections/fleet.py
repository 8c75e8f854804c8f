"""Measure hosts that ship to one ClickHouse: the cost, if it stays flat, and what differs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from indexer.fleet.schema.tables import LOG_LINES
from indexer.fleet.wire.client import FleetClient
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from tools.performance.figure import Figure, Goal, Spread, compared, percentile
from tools.performance.fleet import Fleet, Turn
from tools.performance.fleet_host import Host, Work, peak_bytes
from tools.performance.fleet_passes import EVENTS_A_SECOND, Passes
from tools.performance.fleet_server import FleetServer
from tools.performance.history import SHAPES, write
from tools.performance.section import Bench, Section
from tools.performance.turns import by_turns

_HOSTS, _EVENTS = 100, 1_000_000
_QUICK_HOSTS, _QUICK_EVENTS = 10, 50_000
_BACKLOG, _QUICK_BACKLOG = 100_000, 20_000
_ROUNDS = 5
_MEGABYTE = 1 << 20
_QUARTER = Goal(0.25)
_NONE = Goal(0.0, of="ours")


def _run(bench: Bench) -> Iterator[Figure]:
    yield from _backlog(bench, bench.directory / "backlog")
    yield _passes(bench, bench.directory / "passes")
    yield from _simulation(bench, bench.directory / "fleet")


def _backlog(bench: Bench, directory: Path) -> Iterator[Figure]:
    """One host that ships all that it has, into an empty centre each time."""
    events = _QUICK_BACKLOG if bench.quick else _BACKLOG
    base = _base(directory / "host")
    write(base.log_directory / "events_20261118.ndjson", SHAPES[1], events)
    server = FleetServer(directory / "server")
    indexed: list[Work] = []
    shipped: list[Work] = []
    peaks: list[float] = []
    try:
        for number in range(bench.rounds(_ROUNDS)):
            bench.say(f"a backlog of {events:,} events, {number + 1}")
            shutil.rmtree(base.directory / "db", ignore_errors=True)
            client = FleetClient(server.create(f"centre{number}"))
            with client, closing(Host(base, client)) as host:
                indexed.append(host.index())
                shipped.append(host.ship())
            peaks.append(peak_bytes() / _MEGABYTE)
    finally:
        server.kill()
    name = f"one host, a backlog of {events:,} events"
    yield _next_to_indexing(name, shipped, indexed, "everything on")
    rate = percentile([one.lines / one.wall for one in shipped], 50)
    yield Figure(f"{name}: shipped", "events/s", rate)
    peak = f"{name}: memory at its peak"
    yield Figure(peak, "MB", peaks[-1], peaks[0], "after it was shipped once")


def _passes(bench: Bench, directory: Path) -> Figure:
    """Passes of a host that ships, in turns with those of one that has no centre."""
    server = FleetServer(directory / "server")
    bench.say(f"passes at {EVENTS_A_SECOND:,} events a second")
    try:
        centre = server.create("passes")
        hosts = {
            "ours": Passes(_base(directory / "shipping"), centre),
            "without a centre": Passes(_base(directory / "alone"), None),
        }
        found = by_turns({name: host.block for name, host in hosts.items()}, bench.rounds(_ROUNDS))
        for host in hosts.values():
            host.close()
        with FleetClient(centre) as client:
            shipped = int(client.select(f"SELECT count() FROM {LOG_LINES}")[1][0][0])
    finally:
        server.kill()
    name = f"one host, {EVENTS_A_SECOND:,} events a second: its passes, an event"
    figure = compared(name, found, "us", Goal(1.25), 1e6)
    return figure._replace(
        note=f"{shipped:,} of {hosts['ours'].events:,} events shipped by the end"
    )


def _simulation(bench: Bench, directory: Path) -> Iterator[Figure]:
    hosts = bench.hosts or (_QUICK_HOSTS if bench.quick else _HOSTS)
    events = bench.events or (_QUICK_EVENTS if bench.quick else _EVENTS)
    name = f"{hosts:,} hosts, {events:,} events"
    with closing(Fleet(directory, hosts, events)) as fleet:
        turns = []
        for number, turn in enumerate(fleet.run()):
            turns.append(turn)
            bench.say(f"turn {number + 1}: {turn.shipped.lines:,} lines")
        yield from _costs(name, [turn for turn in turns if turn.shipped.lines])
        yield _cost_of_an_outage(name, [turn for turn in turns if not turn.shipped.lines])
        disk = fleet.bytes_on_disk() / sum(turn.shipped.lines for turn in turns)
        yield Figure(f"{name}: on the server's disk, an event", "bytes", disk)
        bench.say("comparing")
        differ = float(fleet.rows_that_differ())
        yield Figure(f"{name}: runs that differ from the union's", "runs", differ, goal=_NONE)
        unequal = float(fleet.unequal_hosts())
        yield Figure(f"{name}: hosts that verify unequal", "hosts", unequal, goal=_NONE)


def _costs(name: str, turns: list[Turn]) -> Iterator[Figure]:
    indexed, shipped = [turn.indexed for turn in turns], [turn.shipped for turn in turns]
    rate = sum(one.lines for one in shipped) / sum(one.wall for one in shipped)
    yield Figure(f"{name}: shipped, one host after the other", "events/s", rate)
    first, last = _each(shipped[0]), _each(shipped[-1])
    yield Figure(
        f"{name}: the host's cost of an event, last tenth",
        "us",
        last * 1e6,
        first * 1e6,
        "first tenth",
        Spread(*(last / first,) * 3),
        Goal(1.25),
    )
    passes = f"everything on, passes of about {turns[0].indexed.lines // turns[0].hosts:,} events"
    yield _next_to_indexing(name, shipped, indexed, passes)
    peak, before = turns[-1].peak_bytes / _MEGABYTE, turns[0].peak_bytes / _MEGABYTE
    yield Figure(
        f"{name}: memory at its peak",
        "MB",
        peak,
        before,
        "after the first tenth",
        note="of all hosts in one process, each with its database open and SQLite's cache of 2 MB",
    )


def _next_to_indexing(name: str, shipped: list[Work], indexed: list[Work], how: str) -> Figure:
    ours, floor = [_each(one) for one in shipped], [_each(one) for one in indexed]
    return Figure(
        f"{name}: shipping next to indexing",
        "us",
        percentile(ours, 50) * 1e6,
        percentile(floor, 50) * 1e6,
        "indexing",
        Spread.of_ratios(ours, floor),
        _QUARTER,
        note=f"of the host's processor, an event; {how}",
    )


def _cost_of_an_outage(name: str, turns: list[Turn]) -> Figure:
    tried = sum(turn.shipped.processor for turn in turns)
    indexed = sum(turn.indexed.processor for turn in turns)
    return Figure(
        f"{name}: trying in vain next to indexing, while the centre is away",
        "s",
        tried,
        indexed,
        "indexing",
        Spread(*(tried / indexed,) * 3),
    )


def _base(directory: Path) -> Base:
    return Base(TelemetryConfig.for_base(directory))


def _each(work: Work) -> float:
    """Return what one line took of the processor, in seconds."""
    return work.processor / work.lines


SECTION = Section("fleet", "A fleet that ships to one ClickHouse", _run)
