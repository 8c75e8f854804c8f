"""The spans and metrics that events come to, worked out as plainly as can be, all at once."""

from __future__ import annotations

from typing import Any

from indexer.ingest.projections.span_rows import row_of
from indexer.semantics.facts import FROM_LOG
from indexer.semantics.translate import translate
from telemetry_core.event import Event

Runs = dict[str, list[Event]]
SpanKey = tuple[str, str]


def expected_spans(runs: Runs) -> dict[SpanKey, tuple[Any, ...]]:
    """The rows of `run_spans` by run and span: what each says, `is_owner`, and `counted`."""
    rows, used, claims = {}, set(), []
    for run_id, events in runs.items():
        translated = translate(events)
        parents = {one.span_id: one.parent_span_id for one in translated.spans}
        with_usage = {one.span_id for one in translated.spans if one.usage.is_known}
        leaves = _leaves(parents, with_usage)
        for one in translated.spans:
            key = (run_id, one.span_id)
            rows[key] = row_of(run_id, one)
            if one.span_id in leaves:
                used.add(key)
            if one.span_id in leaves or one.kind == "tool":
                strength = (
                    one.signal == FROM_LOG,
                    one.is_inherited,
                    translated.run.claim if translated.run else "",
                    *key,
                )
                claims += [(call, strength) for call in one.calls]
    owners: dict[str, tuple[Any, ...]] = {}
    for call, strength in claims:
        owners[call] = min(owners.get(call, strength), strength)
    lost = {strength[-2:] for call, strength in claims if owners[call] != strength}
    return {key: (*row, int(key not in lost), int(key in used - lost)) for key, row in rows.items()}


def _leaves(parents: dict[str, Any], used: set[str]) -> set[str]:
    """Spans with usage that no other span with usage has above it; cycles are cut at the least."""
    cut = {span for span in parents if span == min(_circle(parents, span), default=None)}

    def above(span: str) -> Any:
        return None if span in cut else parents.get(span)

    covered = set()
    for span in used:
        one = above(span)
        while one is not None and one in parents:
            covered.add(one)
            one = above(one)
    return used - covered


def _circle(parents: dict[str, Any], span: str) -> set[str]:
    """The spans on the way up from one that leads back to it; none if it does not."""
    way: list[str] = []
    one: Any = span
    while one in parents and one not in way:
        way.append(one)
        one = parents[one]
    return set(way) if one == span else set()


def expected_metrics(runs: Runs) -> list[tuple[Any, ...]]:
    """The rows of `run_metrics`, in order."""
    return sorted(
        (run_id, name, event.time, event.id, event.data.get("step"), float(value))
        for run_id, events in runs.items()
        for event in events
        if event.type == "run.metrics"
        for name, value in event.data["metrics"].items()
    )
