"""OpenTelemetry's real SDK: its spans in our log, when they start and when they end."""

from __future__ import annotations

import pytest

trace = pytest.importorskip("opentelemetry.sdk.trace")

from opentelemetry.sdk.resources import Resource  # noqa: E402

from telemetry_core.integrations.opentelemetry import TelemetrySpanProcessor  # noqa: E402


@pytest.fixture
def tracer(client):
    provider = trace.TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(TelemetrySpanProcessor(client))
    yield provider.get_tracer("tests")
    provider.shutdown()


def of(log, kind):
    return [event for event in log.events() if event.type == kind]


def test_spans_inside_a_run_are_its_spans(client, log, tracer):
    """Nested as they are there; a model call is known by its operation."""
    with client.track_run("a", "j") as run, tracer.start_as_current_span("work"):
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
        with tracer.start_as_current_span("chat m", attributes=attributes) as call:
            call.set_attribute("gen_ai.usage.input_tokens", 7)
    outer, inner = of(log, "span.started")
    assert {event.run_id for event in log.events()} == {run.run_id}
    assert "parent_span_id" not in outer.data
    assert inner.data["parent_span_id"] == outer.data["span_id"]
    assert inner.data["kind"] == "llm"
    first, second = of(log, "span.ended")
    assert first.data["span_id"] == inner.data["span_id"]
    assert first.data["attributes"]["gen_ai.usage.input_tokens"] == 7
    assert (first.data["status"], second.data["status"]) == ("ok", "ok")
    assert inner.data["start_time"] <= first.data["end_time"]


def test_a_trace_outside_of_a_run_is_a_run(log, tracer):
    """Named by its service, ended with its root, failed with it."""
    with pytest.raises(ValueError, match="no"), tracer.start_as_current_span("request") as root:
        with tracer.start_as_current_span("below"):
            pass
        open_ids = {e.data["span_id"] for e in of(log, "span.started")}
        assert len(open_ids - {e.data["span_id"] for e in of(log, "span.ended")}) == 1
        raise ValueError("no")
    run_id = f"trace-{root.get_span_context().trace_id:032x}"
    fields = log.run(run_id)
    assert (fields["agent_name"], fields["job_type"]) == ("shop", "request")
    assert (fields["status"], fields["error_summary"]) == ("failed", "ValueError: no")
    assert of(log, "span.ended")[-1].data["error"] == "ValueError: no"
    assert [event.type for event in log.events()][-1] == "run.ended"
