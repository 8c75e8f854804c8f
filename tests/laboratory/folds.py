"""Folds: sets of events, in any order and any pieces, come to one row that can be stored."""

from __future__ import annotations

import random
from typing import Any, Optional

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from indexer.ingest.fold import Activity, add_activity, continues, fold
from indexer.store.runs import load_runs, save_runs
from telemetry_core.event import Event
from telemetry_core.run_fields import RUN_FIELDS
from tests.laboratory.experiment import Bench
from tests.support.database import empty_database, event
from tests.support.oracle import Violation

_KINDS = (
    "run.started",
    "run.event",
    "run.updated",
    "run.ended",
    "run.delivered",
    "run.delivery_failed",
    "somebody.elses",
)
_NAMES = (
    *(field.name for field in RUN_FIELDS),
    "status",
    "status",
    "start_time",
    "end_time",
    "duration_ms",
    "context_json",
    "revision",
    "attempt",
    "unknown",
    "run_id",
)
_VALUES = (
    None,
    True,
    0,
    -1,
    7,
    2**63,
    2**64 - 1,
    1.5,
    "",
    "x",
    "running",
    "failure",
    "completed",
    "2026-01-01T00:00:00Z",
    "yesterday",
    "007",
    "9" * 30,
    "\u2028",
    [1],
    {},
    {"a": {"b": None}},
    '{"a": 1}',
    "{",
    1e300,
)


def _event(chance: random.Random) -> Event:
    # Few moments, so that events meet in one, and their ids decide.
    moment, number = chance.randrange(40), chance.randrange(10**6)
    data = {chance.choice(_NAMES): chance.choice(_VALUES) for _ in range(chance.randrange(5))}
    return event(moment, chance.choice(_KINDS))._replace(id=f"id-{number}", data=data)


# Made beforehand: drawing the parts of each event again takes fifty times the time of folding it.
_POOL = [_event(random.Random(number)) for number in range(5_000)]
_TABLE = empty_database()


def run(bench: Bench, examples: int) -> dict[str, int]:
    """Have Hypothesis look for a set of events that breaks a rule; return what was done."""

    @seed(bench.seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    # Two bytes an event: Hypothesis needs ten times the time to draw a list of them.
    @given(st.binary(min_size=2, max_size=16), st.integers(0, 2**16))
    def hold(drawn: bytes, cut: int) -> None:
        numbers = (int.from_bytes(drawn[at : at + 2], "big") for at in range(0, len(drawn), 2))
        _judge([_POOL[number % len(_POOL)] for number in numbers], cut)
        bench.on_progress(1)

    hold()
    return {"folds": examples}


def _judge(drawn: list[Event], cut: int) -> None:
    events = sorted(_set_of(drawn), key=lambda event: (event.time, event.id))
    row = fold(None, events)
    known = [event for event in events if event.type != "somebody.elses"]
    if fold(None, known) != row:
        raise Violation(f"a stranger's event changes the row: {events}")
    if row is None:
        if known:
            raise Violation(f"a run with events has no row: {events}")
        return
    start = cut % (len(events) + 1)
    if fold(_stored(fold(None, events[:start])), events[start:]) != row:
        raise Violation(
            f"folded in two pieces it is another row: {events[:start]} | {events[start:]}"
        )
    _judge_pieces(events, row, random.Random(cut))
    if repr(_stored(row)) != repr(row):
        raise Violation(f"SQLite holds another row than it was given: {row}")


def _judge_pieces(events: list[Event], row: dict[str, Any], chance: random.Random) -> None:
    """Demand the same of any two pieces, with the run's own events given all at once."""
    early = [event for event in events if chance.random() < 0.5]
    late = [event for event in events if event not in early]
    first = _stored(fold(None, early))
    if first is None or all(continues(first, event) for event in late):
        changes = [event for event in late if event.type != "run.event"]
        own = [(event.time, event.id) for event in late if event.type == "run.event"]
        folded = fold(first, changes)
        if own:
            activity = Activity(len(own), own[0][0], own[-1])
            folded = add_activity(folded, row["run_id"], activity)
        if folded != row:
            raise Violation(f"folded on it is another row: {early} | {late}")


def _stored(row: Optional[dict[str, Any]]) -> Optional[dict[str, Any]]:
    """Return a row as it comes back from the database."""
    if row is None:
        return None
    save_runs(_TABLE, [row])
    return load_runs(_TABLE, [row["run_id"]])[row["run_id"]]


def _set_of(events: list[Event]) -> list[Event]:
    """Return each event once; it is its id that makes it one."""
    return list({event.id: event for event in events}.values())
