"""The fold and a second fold, written apart from it, agree."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.ingest.fold import fold
from telemetry_core.event import Event
from tests.support.naive_fold import COMPARED, as_told, naive_fold

_STATUSES = st.sampled_from(["running", "success", "failed", "partial", "cancelled", "unheard of"])
_TIMES = st.integers(0, 30).map(lambda second: f"2026-11-22T12:00:{second:02d}.250000Z")
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "status": _STATUSES,
    "agent_name": st.sampled_from(["a", "b"]),
    "product": st.sampled_from(["shop", "blog"]),
    "error_summary": st.sampled_from(["ValueError: x", "none"]),
    "start_time": _TIMES,
    "end_time": _TIMES,
    "duration_ms": st.integers(0, 10_000),
    "items_succeeded": st.integers(0, 9),
    "items_failed": st.integers(0, 9),
    "metric_loss": st.integers(-5, 5),
    "metric_hits": st.integers(0, 5),
    "remark": st.sampled_from(["x", "y"]),
}
_FIELDS = st.fixed_dictionaries({}, optional={n: st.none() | v for n, v in _VALUES.items()})
_COUNTERS = st.fixed_dictionaries(
    {}, optional={name: st.integers(0, 9) for name in ("items_succeeded", "metric_hits")}
)
_METRICS = st.fixed_dictionaries(
    {"metrics": st.dictionaries(st.sampled_from(["metric_loss", "metric_hits"]), st.integers(0, 9))}
)
_DATA = {
    "run.started": _FIELDS,
    "run.updated": _FIELDS,
    "run.ended": _FIELDS,
    "run.incremented": _COUNTERS,
    "run.metrics": _METRICS,
    "run.event": st.just({"event_type": "e", "payload": None}),
}
_EVENTS = st.lists(
    st.sampled_from(sorted(_DATA)).flatmap(
        lambda kind: st.tuples(st.just(kind), _DATA[kind], _TIMES)
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=400)
@given(given=_EVENTS)
def test_two_folds_that_know_nothing_of_each_other_agree(
    given: list[tuple[str, dict[str, Any], str]],
) -> None:
    """Whatever well-formed events a run has, both say the same of it."""
    events = [
        Event(id=f"{number:04d}", source="h/1", type=kind, run_id="r", time=time, data=data)
        for number, (kind, data, time) in enumerate(given)
    ]
    row = fold(None, sorted(events, key=lambda event: (event.time, event.id)))
    assert row is not None
    reported, expected = as_told(row), naive_fold(events)
    assert {name: reported.get(name) for name in COMPARED} == {
        name: expected.get(name) for name in COMPARED
    }
