"""Translate the events of one run into its spans, and into what they say of the run.

A pure function of the set of a run's events; the caller stores the result.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Optional

from indexer.semantics import native
from indexer.semantics.event_types import (
    OTEL_LOG,
    OTEL_SPAN,
    SESSION_EVENTS,
    SPAN_EVENTS,
)
from indexer.semantics.facts import RunFacts, SpanFacts, Translation
from indexer.semantics.join import join
from indexer.semantics.otel.agent_logs import log_facts
from indexer.semantics.otel.record import Record, read_record
from indexer.semantics.otel.span import call_log_facts, span_facts
from indexer.semantics.otel.trace import run_of_trace
from indexer.semantics.run_ids import CODEX, UNASSIGNED, session_of, tool_of
from indexer.semantics.sessions.line import SessionLine, read_line
from indexer.semantics.sessions.tools import tool_of_type
from indexer.semantics.values import mapping
from telemetry_core.event import SPAN_STARTED, Event


class Translated(NamedTuple):
    """What a run's events come to."""

    run: Optional[RunFacts]
    """None where foreign records say nothing of a run."""
    spans: list[SpanFacts]
    """One for each span, by id."""


def translate(events: Iterable[Event]) -> Translated:
    """Return what the events of one run come to; those of types without spans are passed over."""
    halves: dict[str, native.Halves] = {}
    telemetry = _Telemetry()
    lines: dict[str, list[SessionLine]] = {}
    for event in events:
        if event.type in SPAN_EVENTS:
            add_half(halves, event)
        elif event.run_id == UNASSIGNED:
            # Records that belong to no run make none; what an agent wrote itself is its own.
            continue
        elif event.type in (OTEL_SPAN, OTEL_LOG):
            telemetry.add(event)
        elif event.type in SESSION_EVENTS:
            lines.setdefault(event.type, []).append(read_line(event.id, mapping(event.data)))
    # What a file says of itself is no run while none of its lines is of that run.
    said = {kind: some for kind, some in lines.items() if any(one.line for one in some)}
    sessions = [tool_of_type(kind).translate(said[kind]) for kind in sorted(said)]
    facts = [native.span_facts(span_id, one) for span_id, one in halves.items()]
    facts += telemetry.spans
    facts += [fact for one in sessions for fact in one.spans]
    return Translated(_run(sessions, telemetry), join(facts))


def add_half(halves: dict[str, native.Halves], event: Event) -> None:
    """Add a `span.started` or `span.ended` to what is known of its span."""
    span_id = native.span_id_of(event.data)
    if span_id is None:
        return
    half = native.Half(f"{event.time} {event.id}", event.time, mapping(event.data))
    known = halves.get(span_id, native.Halves())
    halves[span_id] = known.with_start(half) if event.type == SPAN_STARTED else known.with_end(half)


def _run(sessions: list[Translation], telemetry: _Telemetry) -> Optional[RunFacts]:
    return sessions[0].run if sessions else telemetry.run()


class _Telemetry:
    """What OpenTelemetry's records of one run come to."""

    def __init__(self) -> None:
        self.spans: list[SpanFacts] = []
        self._trace: list[Record] = []
        self._tool: Optional[str] = None
        self._times: list[str] = []

    def add(self, event: Event) -> None:
        """Read one record."""
        record = read_record(mapping(event.data))
        tool = tool_of(record)
        if session_of(record) is not None:
            self._tool = self._tool or tool
            self._times += [one for one in (record.start, record.end) if one]
        elif record.is_span and tool != CODEX:
            self._trace.append(record)
        facts = self._facts(record, tool, event.id)
        if facts is not None:
            self.spans.append(facts)

    def _facts(self, record: Record, tool: Optional[str], event_id: str) -> Optional[SpanFacts]:
        if record.is_span:
            # Codex's own spans are its inner life, and their tokens are those of its logs.
            return None if tool == CODEX else span_facts(record)
        if tool is not None:
            return log_facts(record, tool, event_id)
        return call_log_facts(record)

    def run(self) -> Optional[RunFacts]:
        """Return what the records say of the run: a session's, or a trace's."""
        if self._tool is None:
            return run_of_trace(self._trace)
        return RunFacts(
            agent_name=self._tool,
            job_type="session",
            status="success",
            start_time=min(self._times, default=None),
            end_time=max(self._times, default=None),
        )
