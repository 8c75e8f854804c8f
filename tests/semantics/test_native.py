"""Native spans: two halves, in any order, once or more often, or only one of them."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from indexer.semantics.attributes import bounded
from indexer.semantics.facts import SpanFacts, Usage
from indexer.semantics.translate import translate
from telemetry_core.event import Event

USED = {
    "gen_ai.request.model": "gpt-5",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.cache_read.input_tokens": 40,
    "gen_ai.usage.cache_creation.input_tokens": 10,
    "gen_ai.usage.output_tokens": 20,
    "gen_ai.usage.reasoning.output_tokens": 5,
    "gen_ai.usage.cost": 0.25,
    "gen_ai.response.time_to_first_chunk": 0.412,
}


def _event(number: int, what: str, **data: Any) -> Event:
    time = f"2026-01-01T00:00:{number:02d}.000000Z"
    return Event(f"id-{number}", "host/1", f"span.{what}", "run", time, {"span_id": "s", **data})


def _span(*events: Event) -> SpanFacts:
    (span,) = translate(events).spans
    return span


def test_a_span_is_what_its_two_events_say() -> None:
    """Attributes of the end are added to those of the start and win."""
    span = _span(
        _event(
            1,
            "started",
            name="chat gpt-5",
            kind="llm",
            parent_span_id="p",
            attributes={"a": 1, "gen_ai.request.model": "gpt-5"},
        ),
        _event(3, "ended", status="ok", duration_ms=1311.188, attributes={**USED, "a": 2}),
    )
    assert (span.name, span.kind, span.parent_span_id, span.status) == (
        "chat gpt-5",
        "llm",
        "p",
        "ok",
    )
    assert (span.start_time, span.end_time, span.duration_ms) == (
        "2026-01-01T00:00:01.000000Z",
        "2026-01-01T00:00:03.000000Z",
        1311.188,
    )
    assert span.usage == Usage(50, 40, 10, 20, 5)
    assert (span.model, span.cost_reported_usd, span.time_to_first_token_ms) == ("gpt-5", 0.25, 412)
    assert span.attributes["a"] == 2


def test_of_several_starts_the_first_counts_and_of_several_ends_the_last() -> None:
    """In whichever order they come."""
    events = [
        _event(1, "started", name="first"),
        _event(2, "started", name="second"),
        _event(3, "ended", status="error", error="E: x"),
        _event(4, "ended", status="ok"),
    ]
    spans = {repr(_span(*order)) for order in permutations(events)}
    assert len(spans) == 1
    assert (_span(*events).name, _span(*events).status) == ("first", "ok")


def test_a_span_that_only_ended_began_as_long_before() -> None:
    """Its start was lost, or is in a segment that is not read yet."""
    span = _span(_event(9, "ended", status="error", duration_ms=2_000, error="E: x\nmore"))
    assert span.start_time == "2026-01-01T00:00:07.000000Z"
    assert (span.name, span.status, span.error) == (None, "error", "E: x")


def test_a_span_that_only_started_is_open() -> None:
    """That is what its process was doing when it died."""
    span = _span(_event(1, "started", name="search", kind="tool"))
    assert (span.status, span.end_time) == (None, None)


def test_times_that_the_events_give_go_before_their_own() -> None:
    """What is no time does not."""
    given = _span(_event(5, "started", start_time="2026-01-01T00:00:01Z"))
    odd = _span(_event(5, "started", start_time="yesterday"))
    assert given.start_time == "2026-01-01T00:00:01.000000Z"
    assert odd.start_time == "2026-01-01T00:00:05.000000Z"


@pytest.mark.parametrize("data", [{"span_id": 1}, {"span_id": ""}, {"span_id": None}])
def test_what_names_no_span_is_none(data: dict[str, Any]) -> None:
    """The event is kept; no row comes of it."""
    assert translate([_event(1, "started", **data)]).spans == []


def test_attributes_are_bounded_and_bounding_them_again_changes_nothing() -> None:
    """The event keeps them whole."""
    attributes = {"long": "x" * 10_000, "list": ["y" * 600], "gen_ai.a": [1, {"a": 2}], "n": 1.5}
    once = bounded({**attributes, **{f"z{n}": n for n in range(200)}})
    assert bounded(once) == once
    assert (len(once), len(once["long"]), len(once["list"])) == (100, 500, 500)
    assert (once["gen_ai.a"], once["n"]) == ([1, {"a": 2}], 1.5)
