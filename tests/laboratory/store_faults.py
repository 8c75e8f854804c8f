"""Store faults: the indexer dies, or the system refuses, at calls all over a pass and a rebuild.

And a second time, while it recovers from the first.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from indexer.database.freshness import index_once
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from tests.laboratory import children, shim
from tests.laboratory.experiment import Bench, spread
from tests.laboratory.indexers import index
from tests.laboratory.shim import Fault
from tests.support.database import event, lines_of
from tests.support.oracle import Violation, judge

WORK = ("index", "rebuild")


def run(bench: Bench, kills: int, errors: int) -> dict[str, int]:
    """Strike so often, half of it in passes and half in rebuilds; return what was done."""
    chance = bench.chance()
    prepared = bench.directory / "prepared"
    _prepare(TelemetryConfig.for_base(prepared))
    figures = {"kills": 0, "errors": 0, "second faults": 0}
    for work in WORK:
        calls = _calls(prepared, bench.directory / "counted", work)
        for what, count, make in (("kills", kills, shim.a_kill), ("errors", errors, shim.an_error)):
            for number in spread(count // 2, len(calls), chance):
                fault = make(calls[number - 1], number, chance)
                struck = bench.directory / "struck"
                shutil.copytree(prepared, struck)
                figures["second faults"] += _strike(struck, work, fault, chance)
                figures[what] += 1
                shutil.rmtree(struck)
                bench.on_progress(1)
    return figures


def _prepare(config: TelemetryConfig) -> None:
    """Make a base with a view of part of its log: several files, a copy, bad lines, a torn one."""
    log = config.ndjson_dir
    log.mkdir(parents=True)
    kinds = ("run.started", "run.event", "run.updated", "run.ended")
    events = [event(n, kinds[n % 4], f"run-{n % 12}", note="x" * 600) for n in range(120)]
    (log / "events_1.ndjson").write_bytes(lines_of(events[:50]) + b"bad\n")
    (log / "events_2.ndjson").write_bytes(lines_of(events[25:60]))
    index_once(Base(config))
    (log / "events_0.ndjson").write_bytes(lines_of(events[10:35]))
    (log / "events_2.ndjson").write_bytes(lines_of(events[25:90]) + b"worse\n")
    (log / "events_3.ndjson").write_bytes(lines_of(events[80:]) + b'{"torn')


def _calls(prepared: Path, base: Path, work: str) -> tuple[str, ...]:
    """Return the calls that the work makes when nothing goes wrong."""
    shutil.copytree(prepared, base)
    ended = children.run(index, base, work, shim.NONE)
    shutil.rmtree(base)
    outcome, met = ended.said[0]
    if outcome != "done":
        raise Violation(f"{work} fails by itself: {outcome}")
    return met.calls


def _strike(base: Path, work: str, fault: Fault, chance: random.Random) -> int:
    """Strike once, half of the times once more in the recovery, and judge what comes of it."""
    ended = children.run(index, base, work, fault)
    _judge_end(ended, fault)
    _judge_file(base)
    again = chance.random() < 0.5
    if again:
        # The recovery makes about as many calls as a pass; one that comes too late is none.
        number = chance.randrange(1, 400)
        children.run(index, base, chance.choice(WORK), Fault(number, "kill after"))
        _judge_file(base)
    try:
        judge(TelemetryConfig.for_base(base))
    except Violation as violation:
        raise Violation(f"{work}, {fault}{', and again' if again else ''}: {violation}") from None
    return again


def _judge_end(ended: children.Ended, fault: Fault) -> None:
    if fault.action == "error":
        # What the indexer can't do it may say, in a way of its own; it may not fall over.
        if ended.code != 0:
            raise Violation(f"{fault}: it fell over with {ended.code}")
    elif ended.code != -9:
        raise Violation(f"{fault}: it should have died, and ended with {ended.code}")


def _judge_file(base: Path) -> None:
    """The database is sound as SQLite sees it, whatever state the view is in."""
    path = TelemetryConfig.for_base(base).database_path
    if not os.path.exists(path):
        return
    with closing(sqlite3.connect(path)) as connection:
        (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
        if answer != "ok":
            raise Violation(f"the database is damaged: {answer}")
