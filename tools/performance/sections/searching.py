"""Measure the search index: what a pass with it costs beside one without, and what it gains."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Callable

from indexer.store.search.query import events_with
from tools.performance.child import run_python
from tools.performance.figure import Figure, Goal, compared
from tools.performance.history import SHAPES, write
from tools.performance.section import Bench, Section
from tools.performance.turns import by_turns

_EVENTS = 200_000
_ROUNDS = 3
_SEARCHES = 20
_WITHOUT = "without it"


def _run(bench: Bench) -> Iterator[Figure]:
    shape = SHAPES[0]
    events = _EVENTS // 10 if bench.quick else _EVENTS
    bases = {"with": bench.directory / "with", _WITHOUT: bench.directory / "without"}
    for name, base in bases.items():
        write(base / "raw" / "events_20261118.ndjson", shape, events)
        if name == "with":
            (base / "config").mkdir()
            (base / "config" / "telemetry.toml").write_text("[search]\nindex = true\n")
    bench.say("indexing")
    passes = by_turns({name: _index(base) for name, base in bases.items()}, _ROUNDS)
    yield compared(f"a pass over {events:,} events", passes, "s")
    sizes = {name: [os.path.getsize(_database(base)) / 1e6] for name, base in bases.items()}
    yield compared("the database", sizes, "MB")
    for what, text in (("rare", "0f3"), ("absent", "no such text")):
        bench.say(f"searching what is {what}")
        sides = {name: _search(base, text) for name, base in bases.items()}
        found = by_turns(sides, bench.rounds(_SEARCHES))
        yield compared(f"a text that is {what}", found, "ms", Goal(1.0), 1e3)


def _index(base: Path) -> Callable[[], float]:
    def measure() -> float:
        shutil.rmtree(base / "db", ignore_errors=True)
        return run_python(["-m", "indexer", "--base", base, "index"]).seconds

    return measure


def _search(base: Path, text: str) -> Callable[[], float]:
    def measure() -> float:
        with closing(sqlite3.connect(f"file:{_database(base)}?mode=ro", uri=True)) as connection:
            begun = time.perf_counter()
            events_with(connection, text, "", None, 50)
            return time.perf_counter() - begun

    return measure


def _database(base: Path) -> Path:
    return base / "db" / "telemetry.sqlite"


SECTION = Section("searching", "The search index", _run)
