"""The fold: a row is a pure function of the set of its run's events."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.columns import RUN_COLUMNS
from indexer.fold import continues, fold
from telemetry_core.event import Event
from telemetry_core.fields import RUN_FIELDS
from tests.support.view import event

_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),  # what a decoded line can hold
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.lists(st.integers(0, 9), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
    st.sampled_from(["2026-01-01T00:00:00Z", "running", "failure", "007", "1.5", "9" * 30]),
)
_NAMES = st.one_of(
    st.sampled_from(["status", "start_time", "end_time", "duration_ms", "context_json"]),
    st.sampled_from([*(field.name for field in RUN_FIELDS), "unknown", "revision", "run_id"]),
)
_KINDS = st.sampled_from(
    ["run.started", "run.event", "run.updated", "run.ended", "run.delivered",
     "run.delivery_failed", "somebody.elses"]
)  # fmt: skip


@st.composite
def _events(draw: st.DrawFn) -> list[Event]:
    numbers = draw(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=12, unique=True))
    return [
        event(number, draw(_KINDS))._replace(
            data=draw(st.dictionaries(_NAMES, _VALUES, max_size=5))
        )
        for number in sorted(numbers)
    ]


def _fold(events: list[Event]) -> dict[str, Any]:
    row = fold(None, events)
    assert row is not None
    return row


@settings(max_examples=200, deadline=None)
@given(events=_events(), cut=st.integers(0, 12))
def test_folding_onto_a_row_is_folding_all_at_once(events: list[Event], cut: int) -> None:
    """A row is the whole state: where a batch ends makes no difference."""
    first = fold(None, events[:cut])
    stored = None if first is None else dict(first)
    assert fold(stored, events[cut:]) == fold(None, events)


@settings(max_examples=100, deadline=None)
@given(events=_events())
def test_events_of_unknown_types_change_nothing(events: list[Event]) -> None:
    """What a stranger says of a run is kept elsewhere and leaves its row alone."""
    assert fold(None, [e for e in events if e.type != "somebody.elses"]) == fold(None, events)


@settings(max_examples=100, deadline=None)
@given(events=_events())
def test_every_value_is_one_that_sqlite_holds(events: list[Event]) -> None:
    """No field of any type makes a row that the store would refuse."""
    row = fold(None, events)
    for value in (row or {}).values():
        assert value is None or isinstance(value, (str, int, float))
        assert not isinstance(value, int) or -(2**63) <= value < 2**63


def test_a_row_has_the_columns_of_the_table_in_order() -> None:
    """The store writes rows by position."""
    assert tuple(_fold([event(1, "run.started")])) == RUN_COLUMNS


def test_a_started_run_is_running_and_has_no_end() -> None:
    """`end_time` and `duration_ms` are NULL while a run is running, whatever was said."""
    row = _fold([event(1, "run.started", agent_name="a", duration_ms=5, end_time="x")])
    assert (row["status"], row["end_time"], row["duration_ms"]) == ("running", None, None)
    assert row["start_time"] == "2026-01-01T00:00:00.000001Z"


def test_an_end_sets_status_time_and_duration() -> None:
    """A measured duration is taken as it is; the end is the event's time unless one is given."""
    row = _fold([event(1, "run.started"), event(9_000_001, "run.ended", duration_ms=7)])
    assert (row["status"], row["duration_ms"]) == ("success", 7)
    assert row["end_time"] == "2026-01-01T00:00:09.000001Z"


@pytest.mark.parametrize("odd", ["", "yesterday", [], 7, {"a": 1}, True])
def test_what_is_no_time_is_kept_but_not_as_one(odd: Any) -> None:
    """The run began and ended when its events say; what was given stands in the context."""
    row = _fold([event(1, "run.started", start_time=odd), event(2, "run.ended", end_time=odd)])
    assert (row["start_time"], row["end_time"]) == (event(1).time, event(2).time)
    assert (row["status"], row["duration_ms"]) == ("success", 0)
    assert orjson.loads(row["context_json"]) == {"start_time": odd, "end_time": odd}


@pytest.mark.parametrize("given", [1767225600, 1767225600.0, "2026-01-01T01:00:00+01:00"])
def test_a_time_may_be_given_in_other_ways(given: Any) -> None:
    """As seconds since 1970, or with an offset."""
    row = _fold([event(1, "run.started", start_time=given)])
    assert row["start_time"] == "2026-01-01T00:00:00.000000Z"


def test_a_duration_nobody_measured_is_taken_from_the_times() -> None:
    """A run ended by another process than began it has a duration all the same."""
    row = _fold([event(1, "run.started"), event(2_500_001, "run.ended", status="failed")])
    assert row["duration_ms"] == 2_500


def test_a_late_start_does_not_reopen_a_run() -> None:
    """A clock that was set back must not leave a run running for ever, nor take its numbers."""
    ended = event(1, "run.ended", status="success", items_succeeded=9)
    started = event(2, "run.started", agent_name="a", items_succeeded=0)
    row = _fold([ended, started])
    assert (row["status"], row["items_succeeded"], row["agent_name"]) == ("success", 9, "a")


@pytest.mark.parametrize(
    ("given", "kept"),
    [("failure", "failed"), ("error", "failed"), ("completed", "success"),
     ("succeeded", "success"), ("timeout", "timeout"), ("Paused (manual)", "Paused (manual)")],
)  # fmt: skip
def test_statuses_are_normalised_or_kept_as_they_came(given: str, kept: str) -> None:
    """No status is rejected."""
    assert _fold([event(1, "run.ended", status=given)])["status"] == kept


def test_null_never_overwrites() -> None:
    """An explicit null says nothing."""
    row = _fold([event(1, "run.updated", product="x"), event(2, "run.updated", product=None)])
    assert row["product"] == "x"


def test_unknown_fields_are_kept_in_the_context() -> None:
    """They join what the agent put there itself, and the last one said wins."""
    row = _fold(
        [
            event(1, "run.started", context_json={"a": 1, "b": 1}, colour="red"),
            event(2, "run.updated", context_json='{"b": 2}', revision=99),
        ]
    )
    assert orjson.loads(row["context_json"]) == {"a": 1, "b": 2, "colour": "red", "revision": 99}
    assert row["revision"] == 2


def test_metrics_take_an_object_or_text() -> None:
    """`metrics_json` is JSON text either way."""
    assert _fold([event(1, "run.updated", metrics_json={"a": [1]})])["metrics_json"] == '{"a":[1]}'
    assert _fold([event(1, "run.updated", metrics_json='{"a":1}')])["metrics_json"] == '{"a":1}'


def test_a_revision_is_each_state_that_a_receiver_could_be_told() -> None:
    """Agent's events and receipts make none; a change after delivery has to be delivered again."""
    events = [
        event(1, "run.started"),
        event(2, "run.event", event_type="x"),
        event(3, "run.ended"),
        event(4, "run.delivery_failed", revision=2),
        event(5, "run.delivered", revision=2),
    ]
    row = _fold(events)
    assert (row["revision"], row["api_posted"], row["api_retry_count"]) == (2, 1, 1)
    assert row["api_posted_at"] == events[4].time
    late = _fold([*events, event(6, "run.updated", git_commit_hash="abc")])
    assert (late["revision"], late["api_posted"]) == (3, 0)


def test_a_receipt_for_revision_true_is_for_none() -> None:
    """True is an int to Python only: it would come back from the database as another value."""
    row = _fold([event(1, "run.started"), event(2, "run.delivered", revision=True)])
    assert (row["api_posted"], row["api_posted_revision"], row["api_posted_at"]) == (0, 0, None)


def test_times_are_counted_from_events_alone() -> None:
    """created_at, updated_at and last_event_time come from the log, so a rebuild gives the same."""
    row = _fold([event(1, "run.started"), event(2, "run.updated", product="x"), event(3)])
    assert row["created_at"].endswith("000001Z")
    assert row["updated_at"].endswith("000002Z")
    assert row["last_event_time"].endswith("000003Z")
    assert row["event_count"] == 3


def test_only_what_sorts_after_a_row_continues_it() -> None:
    """Time decides, then id; anything else has to be folded again from the start."""
    row = _fold([event(5)])
    assert continues(row, event(6))
    assert not continues(row, event(5))
    assert not continues(row, event(4))
    assert continues(row, event(5)._replace(id="id-00000005x"))
