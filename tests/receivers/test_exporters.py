"""What a program with OpenTelemetry's own SDK sends arrives, whole."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the receiver needs Python 3.10", allow_module_level=True)

from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.json.http.trace_exporter import (
    OTLPSpanExporter as JsonSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import Status, StatusCode

from tests.support.cli import Cli
from tests.support.receiver import Sender, receiving

_RESOURCE = Resource({"service.name": "weather", "host.name": "h"})


@pytest.fixture
def send(base: Path):
    """A receiver of `base`."""
    with receiving(base) as sender:
        yield sender


def _exporter(kind: str, port: int) -> SpanExporter:
    endpoint = f"http://127.0.0.1:{port}/v1/traces"
    if kind == "json":
        return JsonSpanExporter(endpoint=endpoint)
    compression = Compression.Gzip if kind == "gzip" else Compression.NoCompression
    return OTLPSpanExporter(endpoint=endpoint, compression=compression)


@pytest.mark.parametrize("kind", ["protobuf", "gzip", "json"])
def test_a_trace_becomes_a_run_with_spans_and_usage(base, send: Sender, capsys, kind) -> None:
    """An agent, its model call, and the tool that failed."""
    provider = TracerProvider(resource=_RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(_exporter(kind, send.port)))
    tracer = provider.get_tracer("mine")
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "writer"}
    with tracer.start_as_current_span("invoke_agent writer", attributes=agent):
        call = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-5",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 10,
            "gen_ai.usage.cache_read.input_tokens": 40,
        }
        tracer.start_span("chat gpt-5", attributes=call).end()
        tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
        with tracer.start_as_current_span("execute_tool search", attributes=tool) as span:
            span.set_status(Status(StatusCode.ERROR, "no answer"))
    provider.shutdown()
    cli = Cli(base, capsys)
    (run,) = cli("runs", "--json").json
    assert (run["agent_name"], run["status"]) == ("writer", "success")
    spans = cli(
        "sql",
        "--json",
        "SELECT name, kind, status, input_tokens, cache_read_tokens,"
        " output_tokens FROM run_spans ORDER BY start_time",
    ).json
    assert [(one["kind"], one["status"]) for one in spans] == [
        ("agent", "ok"),
        ("llm", "ok"),
        ("tool", "error"),
    ]
    assert (spans[1]["input_tokens"], spans[1]["cache_read_tokens"]) == (60, 40)


def test_log_records_of_a_trace_are_its_events(base, send: Sender, capsys) -> None:
    """As a bridge from a logging library hands them to the SDK."""
    tracers = TracerProvider(resource=_RESOURCE)
    tracers.add_span_processor(SimpleSpanProcessor(_exporter("protobuf", send.port)))
    provider = LoggerProvider(resource=_RESOURCE)
    exporter = OTLPLogExporter(endpoint=f"http://127.0.0.1:{send.port}/v1/logs")
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    with tracers.get_tracer("mine").start_as_current_span("work") as span:
        provider.get_logger("mine").emit(LogRecord(body="half way", timestamp=time.time_ns()))
        trace = f"{span.get_span_context().trace_id:032x}"
    provider.shutdown()
    tracers.shutdown()
    events = Cli(base, capsys)("show", f"trace-{trace}", "--json").json["events"]
    assert sorted(one["type"] for one in events) == ["otel.log", "otel.span"]
