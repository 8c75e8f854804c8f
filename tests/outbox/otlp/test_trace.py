"""A run and its spans as an OTLP trace: read back by OpenTelemetry's own decoder and by ours."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from indexer.outbox.otlp import trace
from indexer.outbox.otlp.trace import trace_payload
from indexer.outbox.otlp.values import any_value, nanoseconds, run_ids, span_id_of
from indexer.semantics.translate import translate
from indexer.store.runs import load_runs
from indexer.store.schema.columns import RUN_COLUMNS
from indexer.store.spans.table import SpanRow, spans_of
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.event import Event
from telemetry_core.lineage import trace_context
from tests.support.forward import Queue, a_target

_SECRET = "the prompt that nobody asked to send"


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database with one run that has spans of several kinds, one of them never ended."""
    config = TelemetryConfig.for_base(tmp_path / "base", {"TELEMETRY_GIT": "0"})
    client = TelemetryClient(config)
    with client.track_run("crawler", "nightly", host="web1") as run:
        with run.span("parse", kind="step", file="a.py") as parse:
            parse.set(bytes=10)
            with run.llm_call("gpt-5", provider="openai") as call:
                call.set(**{"gen_ai.input.messages": _SECRET, "note": _SECRET * 20})
                call.usage(input_tokens=1200, output_tokens=80, cache_read_tokens=200)
        with (
            pytest.raises(ValueError, match="no hits"),
            run.tool_call("search", arguments={"q": _SECRET}),
        ):
            raise ValueError("no hits")
        run.span("left open").__enter__()
    queue = Queue(config.ndjson_dir, a_target(kind="otlp"))
    queue.index()
    with closing(queue.connection) as connection:
        yield connection


def _run(connection: sqlite3.Connection) -> dict[str, Any]:
    (run_id,) = connection.execute("SELECT run_id FROM agent_runs").fetchone()
    return load_runs(connection, [run_id])[run_id]


def _spans(payload: bytes) -> list[dict[str, Any]]:
    (resource,) = json.loads(payload)["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    found: list[dict[str, Any]] = scope["spans"]
    return found


def _attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}


def _decoded(payload: bytes) -> Any:
    """Read a payload with OpenTelemetry's decoder, which wants ids in base64."""
    pytest.importorskip("opentelemetry.proto", reason="needs opentelemetry-proto")
    from google.protobuf.json_format import Parse
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    document = json.loads(payload)
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in [*scope["spans"], *(o for s in scope["spans"] for o in s.get("links", []))]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return Parse(json.dumps(document), ExportTraceServiceRequest())


def test_what_waits_is_the_trace_of_the_run(recorded: sqlite3.Connection) -> None:
    """Built in the transaction that folded it, of the row and its spans, and the same each time."""
    row = _run(recorded)
    ((payload,),) = recorded.execute("SELECT payload FROM outbox").fetchall()
    assert payload == trace_payload(row, spans_of(recorded, row["run_id"]), content=False)
    assert payload == trace_payload(
        row, reversed(list(spans_of(recorded, row["run_id"]))), content=False
    ), "whatever order the spans come in"


def test_opentelemetrys_decoder_reads_the_trace(recorded: sqlite3.Connection) -> None:
    """Ids of the right length, one trace, a root, times in order, a tree."""
    row = _run(recorded)
    request = _decoded(trace_payload(row, spans_of(recorded, row["run_id"]), content=True))
    (resource,) = request.resource_spans
    names = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert names["service.name"] == "crawler"
    spans = {span.name: span for span in resource.scope_spans[0].spans}
    assert len(spans) == 5
    root = spans["crawler nightly"]
    assert {span.trace_id for span in spans.values()} == {root.trace_id}
    assert (len(root.trace_id), len(root.span_id), root.parent_span_id) == (16, 8, b"")
    assert spans["parse"].parent_span_id == root.span_id
    for span in spans.values():
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
    search = next(span for name, span in spans.items() if "search" in name)
    assert (search.status.code, "no hits" in search.status.message) == (2, True)


def test_our_own_translator_reads_equal_spans(recorded: sqlite3.Connection) -> None:
    """Names, kinds, models, usage, status and tree come back as they were."""
    row = _run(recorded)
    spans = list(spans_of(recorded, row["run_id"]))
    payload = trace_payload(row, spans, content=True)
    scope = json.loads(payload)["resourceSpans"][0]
    events = [
        Event(
            f"otel-{span['spanId']}",
            "telemetry/receive",
            "otel.span",
            f"trace-{span['traceId']}",
            "2026-01-01T00:00:00.000000Z",
            {"resource": scope["resource"], "scope": scope["scopeSpans"][0]["scope"], "span": span},
        )
        for span in _spans(payload)
    ]
    read = {one.span_id: one for one in translate(events).spans}
    assert len(read) == len(spans) + 1
    for span in spans:
        found = read[span_id_of(row["run_id"], span.span_id)]
        assert (found.name, found.kind, found.model) == (span.name, span.kind, span.model)
        assert (found.provider, found.tool_name) == (span.provider, span.tool_name)
        assert found.usage.input_tokens == span.input_tokens
        assert found.usage.cache_read_tokens == span.cache_read_tokens
        assert found.usage.output_tokens == span.output_tokens
        assert (found.status == "error") == (span.status == "error")
        assert found.start_time == span.start_time


def test_content_is_sent_only_if_it_is_asked_for(recorded: sqlite3.Connection) -> None:
    """Prompts, arguments and long texts stay here; names, numbers and short texts go."""
    row = _run(recorded)
    spans = list(spans_of(recorded, row["run_id"]))
    without = trace_payload(row, spans, content=False)
    assert _SECRET.encode() not in without
    (parse,) = (one for one in _spans(without) if one["name"] == "parse")
    assert _attributes(parse)["file"] == "a.py"
    assert _attributes(parse)["bytes"] == "10"
    assert _SECRET.encode() in trace_payload(row, spans, content=True)


def test_ids_are_those_that_child_processes_get(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what an OpenTelemetry SDK in a child process sends is in the run's trace."""
    monkeypatch.delenv("TRACEPARENT", raising=False)
    trace_id, span_id = run_ids("some-run")
    assert trace_context("some-run") == f"00-{trace_id}-{span_id}-01"
    received = "trace-0af7651916cd43dd8448eb211c80319c"
    assert run_ids(received)[0] == "0af7651916cd43dd8448eb211c80319c"
    assert span_id_of(received, "b7ad6b7169203331") == "b7ad6b7169203331"
    assert span_id_of("a", "call_1") != span_id_of("b", "call_1")
    assert span_id_of("a", "0" * 16) != "0" * 16


def _span(number: int, **fields: Any) -> SpanRow:
    empty = dict.fromkeys(SpanRow._fields)
    return SpanRow(**{**empty, "run_id": "r", "span_id": f"s{number:06d}", **fields})


def test_a_payload_is_bounded_and_says_what_is_left_out(
    recorded: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first spans are sent, their texts cut, the others counted."""
    row = _run(recorded)
    monkeypatch.setattr(trace, "MAX_SPANS", 20)
    payload = trace_payload(row, (_span(n, name="n" * 99_999) for n in range(50)), content=True)
    assert len(_spans(payload)) == 21
    (resource,) = json.loads(payload)["resourceSpans"]
    assert _attributes(resource["resource"])["telemetry.spans_left_out"] == "30"
    monkeypatch.setattr(trace, "MAX_SPAN_BYTES", 5_000)
    assert len(
        trace_payload(row, (_span(n, name="n" * 9_999) for n in range(50)), content=True)
    ) < (8_000)


def test_odd_values_are_sent_as_something() -> None:
    """Cycles of parents, ends before starts, times that are none, huge numbers, deep lists."""
    row = {**dict.fromkeys(RUN_COLUMNS), "run_id": "r"}
    early, late = "2026-01-01T00:00:00.000000Z", "2026-01-02T00:00:00.000000Z"
    spans = [
        _span(1, parent_span_id="s000001", start_time="soon"),
        _span(3, parent_span_id="s000002", start_time=late, end_time=early),
        _span(2, parent_span_id="nowhere", attributes_json="[1]"),
    ]
    root, *others = _spans(trace_payload(row, spans, content=True))
    by_id = {_attributes(one)["telemetry.span.id"]: one for one in others}
    assert by_id["s000001"]["parentSpanId"] == by_id["s000002"]["parentSpanId"] == root["spanId"]
    assert by_id["s000003"]["parentSpanId"] == by_id["s000002"]["spanId"]
    assert by_id["s000003"]["endTimeUnixNano"] == by_id["s000003"]["startTimeUnixNano"]
    assert any_value(2**70) == {"doubleValue": float(2**70)}
    deep: Any = "x"
    for _ in range(50):
        deep = [deep]
    assert len(json.dumps(any_value(deep))) < 1_000
    assert nanoseconds("1969-01-01T00:00:00.000000Z") is None
    assert nanoseconds("2026-01-01T00:00:00.000001Z") == "1767225600000001000"
