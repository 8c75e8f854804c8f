"""A wall clock that steps while agents log: over midnight, an hour back, two days ahead."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from indexer.database.freshness import index_once
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from tests.support.agent import run_agent
from tests.support.oracle import assert_kept

MIDNIGHT = 1_795_305_600
"""2026-11-22T00:00:00Z."""

_CLOCK = """
wall = [0.0]
time.time_ns = lambda: int(wall[0] * 1e9)
def at(seconds):
    wall[0] = int(sys.argv[2]) + seconds
"""
_DAY = 86_400

STEPS = {
    "over midnight": [-2, -1, 0, 1],
    "an hour back": [5_000, 5_001, 1_401, 1_402],
    "back over midnight": [10, 11, -3_589, -3_588],
    "two days ahead": [10, 11, 2 * _DAY, 2 * _DAY + 1],
    "two days ahead and home again": [10, 2 * _DAY, 11, 12],
    "before the epoch": [10, -MIDNIGHT - _DAY, 11],
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS.keys())
def test_ids_times_and_order_hold_whatever_the_clock_does(base, steps):
    """Both rise strictly, each event is in its own day's file, and the view keeps their order."""
    ids = run_agent(
        base,
        _CLOCK
        + f"""
at(-10)
ids = []
with client.track_run("agent", "job", run_id="run") as run:
    for step in {steps}:
        at(step)
        ids += [run.log_event("e", step), *run.log_events([("e", step), ("e", step)])]
print(*ids)
""",
        str(MIDNIGHT),
    )
    log = assert_kept(base, ids)
    assert ids == sorted(ids)
    events = sorted(log.events(), key=lambda event: event.id)
    assert [event.type for event in events] == [
        "run.started",
        *["run.event"] * len(ids),
        "run.ended",
    ]
    times = [event.time for event in events]
    assert times == sorted(set(times))
    for path in log.files():
        days = {line[line.index(b'"time":"') + 8 :][:10] for line in path.read_bytes().splitlines()}
        # A batch is one write, so all of it is in the file of its first event.
        assert days == {
            path.name[7:11].encode()
            + b"-%b-%b" % (path.name[11:13].encode(), path.name[13:15].encode())
        }
    with closing(sqlite3.connect(TelemetryConfig.for_base(base).database_path)) as connection:
        stored = connection.execute(
            "SELECT event_id FROM run_events WHERE type = 'run.event' ORDER BY timestamp, event_id"
        )
        assert [row[0] for row in stored] == ids
        row = connection.execute(
            "SELECT status, event_count, duration_ms FROM agent_runs"
        ).fetchone()
    assert row[:2] == ("success", len(ids) + 2)
    assert 0 <= row[2] < 60_000, "measured by a clock that does not step"


def test_what_waits_over_midnight_goes_to_the_day_it_happened(base):
    """And what comes after to the new day's, though both are written at once."""
    ids = run_agent(
        base,
        _CLOCK
        + """
at(-1)
real, os.open = os.open, None
assert client.log_event("run", "e", "before") is None
os.open = real
at(1)
print(client.log_event("run", "e", "after"))
""",
        str(MIDNIGHT),
    )
    before, after = assert_kept(base, ids).shared()
    assert b'"before"' in before.read_bytes()
    assert b'"after"' in after.read_bytes()


@pytest.mark.parametrize("second", [-3_600, 2 * _DAY], ids=["an hour back", "two days ahead"])
def test_a_run_that_is_ended_by_a_process_with_another_clock_has_ended(base, second):
    """Its end sorts before its start, or far behind it; either way the row is the same view."""
    ids = run_agent(
        base,
        _CLOCK + "at(0)\nclient.start_run('agent', 'job', run_id='run')\n"
        "print(client.log_event('run', 'e'))",
        str(MIDNIGHT),
    )
    ids += run_agent(
        base,
        _CLOCK + f"at({second})\nprint(client.end_run('run', 'partial', items_failed=3))",
        str(MIDNIGHT),
    )
    assert_kept(base, ids)
    config = TelemetryConfig.for_base(base)
    index_once(Base(config))
    with closing(sqlite3.connect(config.database_path)) as connection:
        rows = connection.execute("SELECT status, items_failed, agent_name FROM agent_runs")
        assert rows.fetchall() == [("partial", 3, "agent")]
