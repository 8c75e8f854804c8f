"""Join the facts of one span from several records and signals.

A call that a log and a span, or a session's file and a log, both speak of is one span. A better
signal gives its place and its times; the others add what it lacks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from typing import Callable, Optional, TypeVar

from indexer.semantics.facts import ERROR, LLM, NO_USAGE, SpanFacts, Usage
from indexer.semantics.run_ids import CODEX, GEMINI

_Value = TypeVar("_Value")
_WITHOUT_CALL_ID = (CODEX, GEMINI)


def join(facts: Iterable[SpanFacts]) -> list[SpanFacts]:
    """Return one fact for each span, by id; the order of the facts does not matter."""
    groups = _groups(_named_by_counts(sorted(facts, key=_order)))
    return sorted(map(_merged, groups), key=lambda fact: fact.span_id)


def _order(fact: SpanFacts) -> tuple[object, ...]:
    """Which fact is asked first; the last parts only make it the same in every pass."""
    return (
        fact.signal,
        fact.is_inherited,
        fact.start_time or fact.end_time or "~",
        fact.span_id,
        repr((fact.identities, fact.usage, fact.end_time, fact.status, fact.error)),
    )


def _named_by_counts(facts: list[SpanFacts]) -> list[SpanFacts]:
    """Name model calls by their counts where a log of them has no id of the call.

    Codex and Gemini write none: the n-th call with some counts in a session's file is the n-th
    with these counts in its logs.
    """
    seen: Counter[tuple[int, Usage]] = Counter()
    named = []
    for fact in facts:
        if fact.vocabulary in _WITHOUT_CALL_ID and fact.kind == LLM and fact.usage.is_known:
            usage = fact.usage._replace(cache_write_tokens=None, cache_write_1h_tokens=None)
            seen[fact.signal, usage] += 1
            name = f"counts:{tuple(usage)}#{seen[fact.signal, usage]}"
            named.append(replace(fact, identities=(*fact.identities, name)))
        else:
            named.append(fact)
    return named


def _groups(facts: list[SpanFacts]) -> list[list[SpanFacts]]:
    """Put together what shares an identity, directly or through others."""
    by_identity: dict[str, list[SpanFacts]] = {}
    groups: dict[int, list[SpanFacts]] = {}
    for fact in facts:
        known = (by_identity.get(name) for name in _names(fact))
        joined = {id(group): group for group in known if group is not None}
        group = [fact, *(other for one in joined.values() for other in one)]
        for number in joined:
            del groups[number]
        for one in group:
            by_identity.update(dict.fromkeys(_names(one), group))
        groups[id(group)] = group
    return list(groups.values())


def _names(fact: SpanFacts) -> tuple[str, ...]:
    """A span's id names it too: no two spans of a run have one."""
    return (*fact.identities, f"span:{fact.span_id}")


def _merged(group: list[SpanFacts]) -> SpanFacts:
    if len(group) == 1:
        return group[0]
    facts = sorted(group, key=_order)
    levels = [list(level) for _, level in groupby(facts, key=lambda one: one.signal)]
    return replace(
        facts[0],
        identities=tuple(dict.fromkeys(name for one in facts for name in one.identities)),
        parent_span_id=_first(one.parent_span_id for one in facts),
        name=_first(one.name for one in facts),
        kind=_first(one.kind for one in facts),
        status=_first(_status(level) for level in levels),
        start_time=_first(_edge(min, (one.start_time for one in level)) for level in levels),
        end_time=_first(_edge(max, (one.end_time for one in level)) for level in levels),
        duration_ms=_first(one.duration_ms for one in facts),
        model=_first(one.model for one in facts),
        provider=_first(one.provider for one in facts),
        tool_name=_first(one.tool_name for one in facts),
        error=_first(one.error for one in facts),
        time_to_first_token_ms=_first(one.time_to_first_token_ms for one in facts),
        usage=_usage(facts),
        cost_reported_usd=_first(one.cost_reported_usd for one in facts),
        calls=tuple(dict.fromkeys(name for one in facts for name in one.calls)),
        is_inherited=all(one.is_inherited for one in facts),
        attributes={
            name: value for one in reversed(facts) for name, value in one.attributes.items()
        },
        start_event=_first(one.start_event for one in facts),
        end_event=_first(one.end_event for one in facts),
    )


def _first(values: Iterable[Optional[_Value]]) -> Optional[_Value]:
    return next((one for one in values if one is not None), None)


def _edge(choose: Callable[[Iterable[str]], str], times: Iterable[Optional[str]]) -> Optional[str]:
    known = [one for one in times if one is not None]
    return choose(known) if known else None


def _status(level: list[SpanFacts]) -> Optional[str]:
    """An error that any record of a call speaks of is its status."""
    known = [one.status for one in level if one.status is not None]
    return None if not known else ERROR if ERROR in known else known[0]


def _usage(facts: list[SpanFacts]) -> Usage:
    """A streamed call repeats its usage while it grows: the largest output is the call's.

    Of the best signal that has any, and of what is no copy of another session's.
    """
    known = [one for one in facts if one.usage.is_known]
    if not known:
        return NO_USAGE
    best = min((one.signal, one.is_inherited) for one in known)
    same = [one.usage for one in known if (one.signal, one.is_inherited) == best]
    return max(same, key=lambda usage: (usage.output_tokens or 0, [one or 0 for one in usage]))
