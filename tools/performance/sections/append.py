"""Appending in one thread: one event, a batch, a whole run, a synced event, and the tail."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any, Callable

from telemetry_core import TelemetryClient, TelemetryConfig
from tools.performance.figure import Figure, Goal, compared, percentile
from tools.performance.floors import BareAppend, CarefulAppend
from tools.performance.section import Bench, Section
from tools.performance.turns import block, by_turns, each
from tools.performance.workload import SIZES, payloads

_CALLS = 300
_ROUNDS = 200
_BATCH = 100
_US = 1e6
_RUN = "20261122T123456Z-crawler-0c2f1a2b3c4d5e6f7a8b9c0d"


def _run(bench: Bench) -> Iterator[Figure]:
    client = _client(bench, "ours")
    bare, careful = BareAppend(bench.directory / "d"), CarefulAppend(bench.directory / "d3")
    for size in SIZES:
        yield _one_event(bench, client, careful, size)
    yield _tail(bench, client, careful)
    yield _batch(bench, client, bare)
    yield _span_pair(bench, client)
    yield _start_and_end(bench, client)
    bare.close()
    careful.close()
    yield _synced(bench)


def _client(bench: Bench, name: str, **variables: str) -> TelemetryClient:
    return TelemetryClient(TelemetryConfig.for_base(bench.directory / name, variables))


def _logging(log_event: Callable[..., object], size: int) -> Callable[[], object]:
    """Return what logs one event of that size, the next payload each time."""
    following = itertools.cycle(payloads(size)).__next__
    return lambda: log_event(_RUN, "page_fetched", following())


def _one_event(bench: Bench, client: TelemetryClient, floor: CarefulAppend, size: int) -> Figure:
    bench.say(f"one event of {size:,} bytes")
    calls = _CALLS if size < 10_000 else _CALLS // 6
    sides = {
        "ours": block(_logging(client.log_event, size), calls),
        "d3": block(_logging(floor.log_event, size), calls),
    }
    found = by_turns(sides, bench.rounds(_ROUNDS))
    return compared(f"log_event, {size:,} bytes", found, "us", Goal(1.25), _US)


def _tail(bench: Bench, client: TelemetryClient, floor: CarefulAppend) -> Figure:
    bench.say("the slowest events")
    sides = {
        "ours": lambda: _slowest(_logging(client.log_event, 200)),
        "d3": lambda: _slowest(_logging(floor.log_event, 200)),
    }
    found = by_turns(sides, bench.rounds(30))
    return compared("log_event, p99.9", found, "us", Goal(200.0, of="ours"), _US)


def _span_pair(bench: Bench, client: TelemetryClient) -> Figure:
    bench.say("spans")
    following = itertools.cycle(payloads(200)).__next__
    with client.track_run("bench", "spans") as run:

        def span() -> None:
            with run.span("fetch", **following()):
                pass

        def two_events() -> None:
            client.log_event(_RUN, "page_fetched", following())
            client.log_event(_RUN, "page_fetched", None)

        sides = {
            "a span": block(span, _CALLS // 2),
            "two log_event": block(two_events, _CALLS // 2),
        }
        found = by_turns(sides, bench.rounds(_ROUNDS))
    return compared("a span, start and end", found, "us", Goal(1.3), _US)


def _slowest(action: Callable[[], object]) -> float:
    return percentile(each(action, 5_000), 99.9)


def _batch(bench: Bench, client: TelemetryClient, floor: BareAppend) -> Figure:
    bench.say("batches")
    following = itertools.cycle(payloads(200)).__next__

    def batch() -> Any:
        return client.log_events(_RUN, [("page_fetched", following()) for _ in range(_BATCH)])

    measure = block(batch, 3)
    sides = {
        "ours": lambda: measure() / _BATCH,
        "d": block(_logging(floor.log_event, 200), 3 * _BATCH),
    }
    found = by_turns(sides, bench.rounds(_ROUNDS))
    return compared(f"log_events, an event of {_BATCH}", found, "us", Goal(0.7), _US)


def _start_and_end(bench: Bench, client: TelemetryClient) -> Figure:
    bench.say("start and end")

    def start_and_end() -> None:
        client.end_run(client.start_run("crawler", "crawl"), items_discovered=10)

    sides = {
        "ours": block(start_and_end, _CALLS // 3),
        "log_event": block(_logging(client.log_event, 200), _CALLS),
    }
    found = by_turns(sides, bench.rounds(_ROUNDS))
    return compared("start_run and end_run", found, "us", Goal(6.0), _US)


def _synced(bench: Bench) -> Figure:
    bench.say("fsync")
    client = _client(bench, "synced", TELEMETRY_DURABILITY="fsync")
    fd = os.open(bench.directory / "bare", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    line = b"x" * 449 + b"\n"

    def bare() -> None:
        os.write(fd, line)
        os.fdatasync(fd)

    sides = {"ours": block(_logging(client.log_event, 200), 10), "fdatasync": block(bare, 10)}
    found = by_turns(sides, bench.rounds(60))
    os.close(fd)
    return compared("log_event with fsync", found, "us", Goal(1.15), _US)


SECTION = Section("append", "Appending in one thread", _run)
