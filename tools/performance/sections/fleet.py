"""Measure hosts that ship to one ClickHouse: the cost, if it stays flat, and what differs."""

from __future__ import annotations

from collections.abc import Iterator

from tools.performance.figure import Figure, Goal, Spread
from tools.performance.fleet import Fleet, Turn
from tools.performance.section import Bench, Section

_HOSTS, _EVENTS = 100, 1_000_000
_QUICK_HOSTS, _QUICK_EVENTS = 10, 50_000
_MEGABYTE = 1 << 20


def _run(bench: Bench) -> Iterator[Figure]:
    hosts, events = (_QUICK_HOSTS, _QUICK_EVENTS) if bench.quick else (_HOSTS, _EVENTS)
    name = f"{hosts} hosts, {events:,} events"
    fleet = Fleet(bench.directory, hosts, events)
    try:
        turns = []
        for number, turn in enumerate(fleet.run()):
            turns.append(turn)
            bench.say(f"turn {number + 1}: {turn.lines:,} lines in {turn.wall:.0f} s")
        yield from _costs(name, turns)
        disk = fleet.bytes_on_disk() / sum(turn.lines for turn in turns)
        yield Figure(f"{name}: on the server's disk, an event", "bytes", disk)
        bench.say("comparing")
        differ = float(fleet.rows_that_differ())
        yield Figure(f"{name}: runs that differ from the union's", "runs", differ, goal=_none())
        unequal = float(fleet.unequal_hosts())
        yield Figure(f"{name}: hosts that verify unequal", "hosts", unequal, goal=_none())
    finally:
        fleet.close()


def _none() -> Goal:
    return Goal(0.0, of="ours")


def _costs(name: str, turns: list[Turn]) -> Iterator[Figure]:
    shipped = [turn for turn in turns if turn.lines]
    lines = sum(turn.lines for turn in shipped)
    wall = sum(turn.wall for turn in shipped)
    yield Figure(f"{name}: shipped, one host after the other", "events/s", lines / wall)
    first, last = (turn.processor / turn.lines * 1e6 for turn in (shipped[0], shipped[-1]))
    yield Figure(
        f"{name}: the host's cost of an event, last tenth",
        "us",
        last,
        first,
        "first tenth",
        Spread(*(last / first,) * 3),
        Goal(1.25),
    )
    shares = [turn.processor / turn.index_processor for turn in shipped]
    yield Figure(
        f"{name}: shipping next to indexing",
        "us",
        sum(turn.processor for turn in shipped) / lines * 1e6,
        sum(turn.index_processor for turn in shipped) / lines * 1e6,
        "indexing",
        Spread.of(shares),
        Goal(0.25),
        note="of the host's processor, everything on, passes of a few hundred events",
    )
    peak, before = shipped[-1].peak_bytes / _MEGABYTE, shipped[0].peak_bytes / _MEGABYTE
    yield Figure(f"{name}: memory at its peak", "MB", peak, before, "after the first tenth")


SECTION = Section("fleet", "A fleet that ships to one ClickHouse", _run)
