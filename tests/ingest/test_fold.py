"""A row is a pure function of the set of its run's events."""

from __future__ import annotations

from typing import Any, Optional

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.ingest.fold import Activity, add_activity, continues, fold
from indexer.store.schema.columns import RUN_COLUMNS
from telemetry_core.event import Event
from telemetry_core.run_fields import RUN_FIELDS, SCHEMA_VERSION
from tests.support.database import event

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
    [
        "run.started",
        "run.event",
        "run.updated",
        "run.ended",
        "run.delivered",
        "run.delivery_failed",
        "somebody.elses",
    ]
)


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
    """The run began and ended when its events say; what was given is in the context."""
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
    [
        ("failure", "failed"),
        ("error", "failed"),
        ("completed", "success"),
        ("succeeded", "success"),
        ("timeout", "timeout"),
        ("Paused (manual)", "Paused (manual)"),
    ],
)
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
    assert orjson.loads(row["context_json"]) == {"a": 1, "b": 2, "colour": "red"}
    assert (orjson.loads(row["metrics_json"]), row["revision"]) == ({"revision": 99}, 2)


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


def test_only_what_changes_a_row_has_to_come_after_what_changed_it() -> None:
    """Time decides; where two have one time, ids might, and all is folded again from the start."""
    row = _fold([event(5, "run.updated", product="x"), event(9)])
    for kind in ("run.started", "run.updated", "run.ended"):
        assert continues(row, event(6, kind))
        assert not continues(row, event(5, kind))
        assert not continues(row, event(4, kind))
    for kind in ("run.event", "run.delivered", "run.delivery_failed"):
        assert continues(row, event(4, kind))
    assert continues(_fold([event(5)]), event(4, "run.started"))


def test_activity_is_what_its_events_are_one_by_one() -> None:
    """Early, late or between: it counts, and moves the first time and the last."""
    changes = [event(5, "run.started"), event(7, "run.ended")]
    for own in ([event(1)], [event(6)], [event(9)], [event(1), event(6), event(9)]):
        given = Activity(len(own), own[0].time, (own[-1].time, own[-1].id))
        whole = _fold(sorted([*changes, *own], key=lambda one: (one.time, one.id)))
        assert add_activity(_fold(changes), whole["run_id"], given) == whole
    alone = _fold([event(1), event(2)])
    two = Activity(2, event(1).time, (event(2).time, event(2).id))
    assert add_activity(None, alone["run_id"], two) == alone


def test_the_first_receipt_of_a_revision_tells_when_it_was_posted() -> None:
    """Whichever comes first, and however many there are."""
    early, late = (event(n, "run.delivered", revision=1) for n in (6, 8))
    other = event(7, "run.delivered", revision=2)
    orders = ([early, other, late], [late, other, early], [other, late, early])
    rows = [_fold([event(1, "run.started"), *some]) for some in orders]
    assert rows[0] == rows[1] == rows[2]
    assert rows[0]["api_posted_at"] == other.time
    assert _fold([late, early])["api_posted_at"] == early.time


def test_a_run_known_by_one_event_alone_starts_from_nothing() -> None:
    """Its counts are zeros, and no field of it is set."""
    row = _fold([event(7)])
    assert (row["event_count"], row["schema_version"]) == (1, SCHEMA_VERSION)
    counts = ("revision", "api_posted", "api_posted_revision", "api_retry_count")
    assert [row[name] for name in counts] == [0, 0, 0, 0]
    assert [row[field.name] for field in RUN_FIELDS] == [None] * len(RUN_FIELDS)


def test_the_first_start_says_which_process_it_is() -> None:
    """A second one, from elsewhere, changes neither source nor the time the process began."""
    first = event(1, "run.started")._replace(source="h/1", extensions={"processstart": 5})
    other = event(2, "run.started")._replace(source="h/2", extensions={"processstart": 6})
    row = _fold([first, other])
    assert (row["source"], row["process_start"]) == ("h/1", "5")


def test_an_update_may_set_the_status_or_leave_it() -> None:
    """Only what it names is changed."""
    started = event(1, "run.started")
    paused = event(2, "run.updated", status="failure")
    assert _fold([started, paused])["status"] == "failed"
    assert _fold([started, event(2, "run.updated", product="x")])["status"] == "running"


def test_a_receipt_counts_once_and_only_if_it_is_newer() -> None:
    """The time of a posting is that of the first receipt of the highest revision."""
    events = [event(1, "run.started"), event(2, "run.updated", product="x")]
    events += [event(3 + n, "run.delivered", revision=r) for n, r in enumerate([2, 2, 1])]
    row = _fold(events)
    assert (row["api_posted_revision"], row["api_posted_at"]) == (2, events[2].time)
    assert row["api_posted"] == 1


def test_the_first_revision_can_be_posted_and_none_cannot() -> None:
    """A receipt that comes before all it is about says that nothing is posted yet."""
    start, receipt = event(1, "run.started"), event(2, "run.delivered", revision=1)
    assert _fold([start, receipt])["api_posted"] == 1
    for revision in (0, 1):
        row = _fold([event(2, "run.delivered", revision=revision)])
        assert (row["api_posted"], row["revision"]) == (0, 0)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (2**63 - 1, 2**63 - 1),
        (2**63, float(2**63)),
        (-(2**63), -(2**63)),
        (-(2**63) - 1, float(-(2**63) - 1)),
        (4.0, 4),
        (1.5, 1.5),
        (2.0**53, 2.0**53),
        (2.0**53 - 1, 2**53 - 1),
        ("007", 7),
        ("-7", -7),
        ("9" * 18, int("9" * 18)),
        ("9" * 19, float("9" * 19)),
        ("1.5", 1.5),
        (" 2e3 ", 2000),
        (True, 1),
    ],
)
def test_numbers_are_whole_where_they_can_be_and_kept_where_not(given: Any, kept: Any) -> None:
    """Numbers in text are numbers; beyond SQLite's integers they are fractions."""
    found = _fold([event(1, "run.updated", items_failed=given)])["items_failed"]
    assert (found, type(found)) == (kept, type(kept))


@pytest.mark.parametrize("given", ["", "seven", "nan", "1e999", [1], {"a": 1}])
def test_what_is_not_a_number_is_kept_and_leaves_the_column_empty(given: Any) -> None:
    """It is in `context_json` by its name, where it breaks no sum."""
    row = _fold([event(1, "run.updated", items_failed=given)])
    assert row["items_failed"] is None
    assert orjson.loads(row["context_json"]) == {"items_failed": given}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("Status.FAILED", "failed"),
        ("JobStatus.Succeeded", "success"),
        ("Failed", "failed"),
        ("halted", "halted"),
        ("v1.2", "v1.2"),
    ],
)
def test_a_status_of_an_enumeration_is_its_own(given: str, stored: str) -> None:
    """The member's name counts, in any case; a status nobody has heard of stays as it is."""
    assert _fold([event(1, "run.ended", status=given)])["status"] == stored
    assert _fold([event(1, "run.updated", status=given)])["status"] == stored


@pytest.mark.parametrize(
    ("given", "stored"),
    [('{"loss": NaN}', '{"loss":null}'), ("{broken", '"{broken"'), ('{"a": 1}', '{"a":1}')],
)
def test_json_columns_contain_valid_json(given: str, stored: str) -> None:
    """NaN becomes null, as everywhere; text that is no JSON becomes a JSON string."""
    assert _fold([event(1, "run.updated", metrics_json=given)])["metrics_json"] == stored


def test_times_that_are_corrected_after_the_end_correct_the_duration() -> None:
    """Unless the agent gives one: what it measured stands."""
    run = [event(0, "run.started"), event(2_000_000, "run.ended")]
    assert _fold(run)["duration_ms"] == 2000
    backdated = event(3_000_000, "run.updated", start_time="2025-12-31T23:59:50Z")
    assert _fold([*run, backdated])["duration_ms"] == 12_000
    moved = event(3_000_000, "run.updated", end_time="2026-01-01T00:00:05Z")
    assert _fold([*run, moved])["duration_ms"] == 5_000
    given = event(3_000_000, "run.updated", end_time="2026-01-01T00:00:05Z", duration_ms=7)
    assert _fold([*run, given])["duration_ms"] == 7


def test_the_indexers_own_events_are_not_the_agents() -> None:
    """Receipts count neither as events of the run nor as a sign of life, in whichever order."""
    own = [event(1, "run.started"), event(2, "run.ended")]
    receipts = [event(3, "run.delivery_failed"), event(4, "run.delivered", revision=2)]
    row = _fold([*own, *receipts])
    assert (row["event_count"], row["last_event_id"]) == (2, own[1].id)
    assert row["api_posted"] == 1
    early = event(0, "run.delivered", revision=1)
    together = _fold([early, *own])
    assert fold(_fold(own), [early]) == together


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (10**8, "1973-03-03T09:46:40.000000Z"),
        (10**11 - 1, "5138-11-16T09:46:39.000000Z"),
        (10**8 - 1, None),
        (10**11, None),
    ],
)
def test_seconds_are_times_from_1973_to_5138(given: int, found: Optional[str]) -> None:
    """Anything else is milliseconds, a year, or no time at all, and is not taken for one."""
    row = _fold([event(1, "run.started", start_time=given)])
    assert row["start_time"] == (found or event(1).time)


def test_what_says_nothing_does_not_hide_what_stands_behind_it() -> None:
    """A null, a status, an end while running, an odd time: the fields after them are set."""
    data = {
        "product": None,
        "status": "running",
        "end_time": "2026-01-01T00:00:00Z",
        "odd": True,
        "start_time": "x",
        "context_json": {"a": 1},
        "website": "w",
    }
    row = _fold([event(1, "run.started", **data)])
    assert (row["website"], row["status"], row["end_time"]) == ("w", "running", None)
    assert orjson.loads(row["context_json"]) == {"a": 1, "odd": True, "start_time": "x"}


def test_a_time_that_is_no_bound_of_the_run_is_kept_as_it_came() -> None:
    """In one spelling where it is a time, and as text where it is none."""
    for said, kept in (("2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.000000Z"), ("x", "x")):
        row = _fold([event(1, "run.updated", git_commit_timestamp=said)])
        assert row["git_commit_timestamp"] == kept


@pytest.mark.parametrize("given", ["no json", "[1]", "7", ["a"], 5])
def test_a_context_that_is_no_object_is_kept_under_a_name(given: Any) -> None:
    """Text that is no JSON is itself; text that is, is what it says."""
    row = _fold([event(1, "run.started", context_json=given)])
    said = {"[1]": [1], "7": 7}.get(given, given) if isinstance(given, str) else given
    assert orjson.loads(row["context_json"]) == {"context": said}


def test_the_names_in_a_context_are_in_order() -> None:
    """Two runs of one agent are compared by eye, whatever was set first."""
    row = _fold([event(1, "run.started", b="1", c="2"), event(2, "run.updated", a="3")])
    assert row["context_json"] == '{"a":"3","b":"1","c":"2"}'


def test_an_end_before_the_start_has_no_duration() -> None:
    """Clocks of two hosts may differ; nothing took less than no time."""
    times = {"start_time": "2026-01-01T00:00:02Z"}
    rows = [
        _fold([event(1, "run.started", **times), event(2, "run.ended", end_time=end)])
        for end in ("2026-01-01T00:00:01.999Z", "2026-01-01T00:00:02Z", "2026-01-01T00:00:02.001Z")
    ]
    assert [row["duration_ms"] for row in rows] == [None, 0, 1]
    assert _fold([event(1, "run.ended")])["duration_ms"] is None


def test_unknown_numbers_are_metrics_merged_by_name() -> None:
    """Whether they come one by one, as an object or as text of one; the last one said wins."""
    row = _fold(
        [
            event(1, "run.started", tokens=1, metrics_json={"loss": 0.5, "kept": [1]}),
            event(2, "run.updated", tokens=2.5, metrics_json='{"loss": 0.25}'),
            event(3, "run.metrics", step=7, metrics={"loss": 0.125, "odd": "x", "bad": True}),
        ]
    )
    assert orjson.loads(row["metrics_json"]) == {"loss": 0.125, "kept": [1], "tokens": 2.5}
    assert row["revision"] == 3


def test_metrics_that_are_no_object_give_way_to_some_that_are() -> None:
    """But those of a start take nothing away."""
    late = _fold([event(1, "run.updated", metrics_json="words"), event(2, "run.started", n=1)])
    later = _fold([event(1, "run.updated", metrics_json="words"), event(2, "run.updated", n=1)])
    assert (late["metrics_json"], later["metrics_json"]) == ('"words"', '{"n":1}')


def test_counters_add_to_fields_and_to_metrics() -> None:
    """In the order of the run's events; what was set goes on being counted from there."""
    row = _fold(
        [
            event(1, "run.incremented", items_succeeded=2, hits=1),
            event(2, "run.updated", items_succeeded=10),
            event(3, "run.incremented", items_succeeded=1, hits=0.5),
        ]
    )
    assert (row["items_succeeded"], row["metrics_json"]) == (11, '{"hits":1.5}')


def test_what_is_no_number_is_not_counted_and_no_sum_leaves_the_range() -> None:
    """Texts, booleans, fields that are no counts; beyond SQLite's integers it is a fraction."""
    row = _fold(
        [
            event(1, "run.updated", items_failed="seven"),
            event(2, "run.incremented", items_failed=1, agent_name=1, duration_ms=5, x="1", y=True),
            event(3, "run.incremented", items_succeeded=2**63 - 1),
            event(4, "run.incremented", items_succeeded=1),
        ]
    )
    assert (row["items_failed"], row["agent_name"], row["duration_ms"]) == (1, None, None)
    assert (row["items_succeeded"], row["metrics_json"]) == (float(2**63), None)


@pytest.mark.parametrize("value", [2**63, 2**64 - 1, -(2**63) - 1])
def test_the_first_that_is_added_leaves_the_range_of_no_column(value: int) -> None:
    """Where nothing was there before it is the sum, and as good a number as one can be."""
    row = _fold([event(1, "run.incremented", items_succeeded=value)])
    assert row["items_succeeded"] == float(value)
    assert isinstance(row["items_succeeded"], float)


def test_spans_say_that_a_run_lives_and_nothing_else() -> None:
    """As its own events do."""
    row = _fold([event(1, "span.started", span_id="s"), event(2, "span.ended", span_id="s")])
    assert (row["event_count"], row["status"], row["revision"]) == (2, None, 0)
