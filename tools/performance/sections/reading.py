"""Measure reading: commands over a database of a million events, each as its own process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import cycle
from pathlib import Path
from typing import Any, Callable, Optional

from telemetry_core.event import RUN_ENDED, RUN_EVENT, RUN_STARTED, Event
from telemetry_core.line import encode
from telemetry_core.timestamp import format_time
from tools.performance.figure import Figure, Goal, compared
from tools.performance.own_process import command, daemon, environment
from tools.performance.section import Bench, Section
from tools.performance.turns import block, by_turns
from tools.performance.workload import payloads

_EVENTS = 1_000_000
_OF_A_RUN = 50
_ROUNDS = 30
_GOAL = Goal(100, of="ours", or_ratio=1.4)
_BEGIN = datetime(2026, 10, 1, tzinfo=timezone.utc)


def _run(bench: Bench) -> Iterator[Figure]:
    base = bench.directory / "base"
    events = _EVENTS // 20 if bench.quick else _EVENTS
    bench.say(f"recording {events:,} events")
    last = _record(base / "raw", events)
    bench.say("indexing them")
    _side(bench, *_on(base, "index"))()
    imports = _side(bench, sys.executable, "-c", "import sqlite3, click")
    floor = {"sqlite3, click": imports}
    empty = {"python -c pass": _side(bench, sys.executable, "-c", "pass")}
    yield _figure(bench, "import sqlite3, click", imports, empty, None)
    version = _side(bench, *command("--version"))
    yield _figure(bench, "--version", version, floor, _GOAL)
    for words in (("runs",), ("show", "latest"), ("show", last), ("stats",), ("status",)):
        name = " ".join(words).replace(last, "RUN_ID")
        ours = _side(bench, *_on(base, *words))
        yield _figure(bench, name, ours, floor, _GOAL)
    with daemon(base):
        ours = _side(bench, *_on(base, "runs"))
        yield _figure(bench, "runs, with a daemon", ours, floor, _GOAL)


def _on(base: Path, *words: str) -> list[str]:
    return command("--base", str(base), *words)


def _side(bench: Bench, *arguments: str) -> Callable[[], float]:
    """Return what runs a process to its end and measures that, in seconds."""
    variables = environment(bench.directory)
    measure = block(
        lambda: subprocess.run(
            arguments,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=variables,
            check=True,
        )
    )
    # Once beforehand: what it imports is compiled by then, as in any installation.
    measure()
    return measure


def _figure(
    bench: Bench,
    name: str,
    ours: Callable[[], float],
    floor: dict[str, Callable[[], float]],
    goal: Optional[Goal],
) -> Figure:
    bench.say(name)
    found = by_turns({"ours": ours, **floor}, bench.rounds(_ROUNDS))
    return compared(name, found, "ms", goal, 1e3)


def _record(directory: Path, events: int) -> str:
    """Write the log of many runs, a file a day; return the last run's id."""
    directory.mkdir(parents=True)
    following = cycle(payloads(200)).__next__
    run_id = ""
    for number in range(events // _OF_A_RUN):
        begun = _BEGIN + timedelta(minutes=number)
        run_id = f"{begun:%Y%m%dT%H%M%SZ}-agent-{number % 12}-{number:08x}"
        shown = enumerate(_shown(number, following))
        with open(directory / f"events_{begun:%Y%m%d}.ndjson", "ab") as log:
            for place, (kind, data) in shown:
                moment = format_time(begun + timedelta(milliseconds=place))
                event_id = f"{number:08x}-{place:04x}"
                log.write(encode(Event(event_id, "host/1", kind, run_id, moment, data)))
    return run_id


def _shown(number: int, following: Callable[[], Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what one run says: a start, its events, an end."""
    yield RUN_STARTED, {"agent_name": f"agent-{number % 12}", "job_type": "crawl"}
    for _ in range(_OF_A_RUN - 2):
        yield RUN_EVENT, {"event_type": "page_fetched", "payload": following()}
    status = "failed" if number % 10 == 0 else "success"
    yield RUN_ENDED, {"status": status, "duration_ms": 1_000 + number * 7_919 % 60_000}


SECTION = Section("reading", "Reading commands over a million events", _run)
