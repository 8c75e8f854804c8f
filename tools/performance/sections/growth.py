"""Measure whether indexing slows down as the database grows: a log of a thousand files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from tools.performance.child import Cost, run_python
from tools.performance.figure import Figure, Goal, Spread
from tools.performance.history import Shape, write
from tools.performance.section import Bench, Section

_FILES = 1_000
_EVENTS = 20_000_000
_QUICK_EVENTS = 1_000_000
_FIFTHS = 5
_FRESH_FILES = 10
_SHAPE = Shape("growth", 50, 200)
_MEGABYTE = 1 << 20


def _run(bench: Bench) -> Iterator[Figure]:
    each = (_QUICK_EVENTS if bench.quick else _EVENTS) // _FILES
    base = bench.directory / "base"
    ratios, peak = [], 0
    for fifth in range(_FIFTHS):
        files = range(fifth * _FILES // _FIFTHS, (fifth + 1) * _FILES // _FIFTHS)
        bench.say(f"fifth {fifth + 1} of {_FIFTHS}: writing {len(files) * each:,} events")
        _write(base, files, each)
        # An empty database for comparison, before and after: what changed may be the machine.
        fresh = [_index_fresh(bench, each)]
        bench.say(f"fifth {fifth + 1} of {_FIFTHS}: indexing")
        cost = run_python(["-m", "indexer", "--base", base, "index"])
        fresh.append(_index_fresh(bench, each))
        peak = max(peak, cost.peak_bytes)
        ours, floor = cost.seconds / (len(files) * each), sum(fresh) / 2
        ratios.append(ours / floor)
        size = (base / "db" / "telemetry.sqlite").stat().st_size / _MEGABYTE
        yield Figure(
            f"events up to {files.stop * each:,}",
            "us an event",
            ours * 1e6,
            floor * 1e6,
            "an empty view",
            Spread(ratios[-1], ratios[-1], ratios[-1]),
            note=f"view of {size:,.0f} MB",
        )
    yield Figure(
        "the last fifth to the first", "times", ratios[-1] / ratios[0], goal=Goal(1.15, of="ours")
    )
    yield Figure("memory at its peak", "MB", peak / _MEGABYTE, goal=Goal(80, of="ours"))


def _write(base: Path, files: range, each: int) -> None:
    for number in files:
        path = base / "raw" / f"events_20261118.host-{number:04d}.ndjson"
        write(path, _SHAPE, each, number * each)


def _index_fresh(bench: Bench, each: int) -> float:
    """Return the seconds an event takes where the database is empty."""
    base = bench.directory / "fresh"
    _write(base, range(_FRESH_FILES), each)
    cost: Cost = run_python(["-m", "indexer", "--base", base, "index"])
    shutil.rmtree(base)
    return cost.seconds / (_FRESH_FILES * each)


SECTION = Section("growth", "Indexing as the database grows", _run)
