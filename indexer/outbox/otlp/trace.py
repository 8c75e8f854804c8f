"""Build the payload of a target of kind `otlp`: a run and its spans as one trace. Pure.

All ids are derived from the run and the span, so that a retry, a later revision and a delivery
after a rebuild are the same spans. A run is a span itself, the root of the others; a run that was
received as a trace has its own root. Sizes are bounded: what is left out is counted in the
resource's attribute `telemetry.spans_left_out`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest
from itertools import accumulate
from typing import Any

import orjson

from indexer.outbox.otlp.attributes import resource_attributes, run_attributes, span_attributes
from indexer.outbox.otlp.values import attributes_of, nanoseconds, run_ids, span_id_of
from indexer.outbox.payload import cut
from indexer.semantics.facts import EMBEDDING, ERROR, LLM, OK, RETRIEVAL
from indexer.store.spans.table import SpanRow
from telemetry_core import __version__

MAX_SPANS = 5_000
MAX_SPAN_BYTES = 4 * 1024 * 1024
"""Of all spans of a payload together; receivers commonly refuse more than 4 MiB or 20 MiB."""

_INTERNAL, _CLIENT = 1, 3
_CALLS = (LLM, EMBEDDING, RETRIEVAL)
_STATUS_OK, _STATUS_ERROR = 1, 2
_MESSAGE_CHARACTERS = 1_024
_BAD_STATUSES = ("failed", "timeout")


def trace_payload(row: Mapping[str, Any], spans: Iterable[SpanRow], *, content: bool) -> bytes:
    """Return an `ExportTraceServiceRequest` in JSON, of a run's row and its spans.

    With `content`, attributes that may hold prompts, answers and arguments are sent as well.
    """
    builder = _TraceBuilder(row, content)
    first = nsmallest(MAX_SPANS, builder.seen(spans), key=_by_start)
    encoded = [orjson.dumps(builder.span(span)) for span in first]
    sizes = accumulate(len(one) for one in encoded)
    kept = [one for one, size in zip(encoded, sizes) if size <= MAX_SPAN_BYTES]
    left_out = len(builder.span_ids) - len(kept)
    root = [] if builder.has_own_root else [orjson.dumps(builder.root())]
    resource = {**resource_attributes(row), "telemetry.spans_left_out": left_out or None}
    return _document(attributes_of(resource), root + kept)


class _TraceBuilder:
    """Builds the spans of one run."""

    def __init__(self, row: Mapping[str, Any], content: bool) -> None:
        self._row = row
        self._content = content
        self._trace_id, self._root_id = run_ids(row["run_id"])
        self._start = nanoseconds(row["start_time"]) or "0"
        self._end = nanoseconds(row["end_time"]) or self._start
        self.has_own_root = str(row["run_id"]).startswith("trace-") and bool(row["foreign_events"])
        self.span_ids: set[str] = set()

    def seen(self, spans: Iterable[SpanRow]) -> Iterator[SpanRow]:
        """Yield the spans, and remember their ids."""
        for span in spans:
            self.span_ids.add(span.span_id)
            yield span

    def root(self) -> dict[str, Any]:
        """Return the span that stands for the run."""
        row = self._row
        found: dict[str, Any] = {
            "traceId": self._trace_id,
            "spanId": self._root_id,
            "name": " ".join(filter(None, (row["agent_name"], row["job_type"]))) or "run",
            "kind": _INTERNAL,
            "startTimeUnixNano": self._start,
            "endTimeUnixNano": max(self._end, self._start, key=int),
            "attributes": attributes_of(run_attributes(row)),
            "status": _status(row["status"] in _BAD_STATUSES, row["error_summary"]),
        }
        if row["parent_run_id"]:
            trace_id, span_id = run_ids(row["parent_run_id"])
            found["links"] = [{"traceId": trace_id, "spanId": span_id}]
        return found

    def span(self, span: SpanRow) -> dict[str, Any]:
        """Return one span of the run. One that never ended ends with its run."""
        start = nanoseconds(span.start_time) or self._start
        end = nanoseconds(span.end_time)
        latest = end or self._end
        attributes = span_attributes(span, content=self._content)
        if end is None:
            attributes["telemetry.span.open"] = True
        found = {
            "traceId": self._trace_id,
            "spanId": span_id_of(self._row["run_id"], span.span_id),
            "name": cut(span.name or span.kind or "span", _MESSAGE_CHARACTERS),
            "kind": _CLIENT if span.kind in _CALLS else _INTERNAL,
            "startTimeUnixNano": start,
            "endTimeUnixNano": max(latest, start, key=int),
            "attributes": attributes_of(attributes),
            "status": _status(span.status == ERROR, span.error, is_ok=span.status == OK),
        }
        parent = self._parent_of(span)
        return {**found, "parentSpanId": parent} if parent else found

    def _parent_of(self, span: SpanRow) -> str:
        parent = span.parent_span_id
        if parent and parent != span.span_id and (parent in self.span_ids or self.has_own_root):
            return span_id_of(self._row["run_id"], parent)
        return "" if self.has_own_root else self._root_id


def _by_start(span: SpanRow) -> tuple[str, str]:
    return span.start_time or "", span.span_id


def _status(is_error: bool, message: Any, *, is_ok: bool = True) -> dict[str, Any]:
    if not is_error:
        return {"code": _STATUS_OK} if is_ok else {}
    return {"code": _STATUS_ERROR, "message": cut(str(message or ""), _MESSAGE_CHARACTERS)}


def _document(resource: list[dict[str, Any]], spans: list[bytes]) -> bytes:
    # Joined by hand, so that spans whose size was measured are not encoded a second time.
    scope = orjson.dumps({"name": "local-telemetry", "version": __version__})
    return b"".join(
        (
            b'{"resourceSpans":[{"resource":{"attributes":',
            orjson.dumps(resource),
            b'},"scopeSpans":[{"scope":',
            scope,
            b',"spans":[',
            b",".join(spans),
            b"]}]}]}",
        )
    )
