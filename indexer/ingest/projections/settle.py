"""Settle whose usage counts, among the spans of a run and among runs.

Within a run leaves count and parents never; among runs a call counts where it is owned. Called
by the projection of spans, last in a transaction: a new claim may take a call from a run that
nothing else happened to.
"""

from __future__ import annotations

import sqlite3
from typing import Optional

from indexer.semantics.facts import FROM_LOG, TOOL, SpanFacts
from indexer.semantics.translate import Translated
from indexer.semantics.tree import usage_leaves
from indexer.store.spans import calls
from indexer.store.spans import table as spans
from indexer.store.spans.calls import Claim


class Settlement:
    """The runs that changed in one transaction, until it is settled what of them counts."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._changed: dict[str, Optional[Translated]] = {}

    def replaced(self, run_id: str, translated: Translated) -> None:
        """Note that all spans of a run were replaced."""
        self._changed[run_id] = translated

    def added(self, run_id: str) -> None:
        """Note that spans of a run were written, none of which claims a call."""
        self._changed.setdefault(run_id, None)

    def settle(self) -> None:
        """Write what counts, in the runs that changed and in those that claim the same calls."""
        touched: set[str] = set()
        for run_id, translated in self._changed.items():
            leaves = self._leaves(run_id)
            spans.set_counted(self._connection, run_id, leaves)
            if translated is not None:
                claims = list(_claims(run_id, translated, leaves))
                touched |= calls.replace_claims(self._connection, run_id, claims)
                touched |= {one.call for one in claims}
        for run_id, span_id in calls.claimants(self._connection, touched):
            owns = calls.owns_its_call(self._connection, run_id, span_id)
            spans.set_owner(self._connection, run_id, span_id, is_owner=owns)
        self._changed.clear()

    def _leaves(self, run_id: str) -> set[str]:
        if not spans.has_usage(self._connection, run_id):
            return set()
        places = list(spans.places(self._connection, run_id))
        parents = {one.span_id: one.parent_span_id for one in places}
        return usage_leaves(parents, (one.span_id for one in places if one.has_usage))


def _claims(run_id: str, translated: Translated, leaves: set[str]) -> list[Claim]:
    """What counts in its run claims its call, and so does every call of a tool."""
    run_claim = translated.run.claim if translated.run else ""
    return [
        Claim(call, _strength(one, run_claim), run_id, one.span_id)
        for one in translated.spans
        if one.span_id in leaves or one.kind == TOOL
        for call in one.calls
    ]


def _strength(span: SpanFacts, run_claim: str) -> str:
    """A session's own lines before logs of it, what is no copy before what says that it is one."""
    return f"{int(span.signal == FROM_LOG)}{int(span.is_inherited)}{run_claim}"
