"""Record the agents, model calls, tools and handoffs that OpenAI Agents traces as spans.

`agents.add_trace_processor(TelemetryTracingProcessor(client))`. Outside of any run, a trace is a
run of its own, named by its workflow.
"""

from __future__ import annotations

from typing import Any, Optional

from telemetry_core import genai
from telemetry_core.client import TelemetryClient
from telemetry_core.guard import guarded
from telemetry_core.integrations.recorded_spans import RecordedSpans
from telemetry_core.lineage import current_run
from telemetry_core.status import FAILED

_KINDS = {
    "agent": genai.AGENT,
    "generation": genai.LLM,
    "response": genai.LLM,
    "function": genai.TOOL,
    "mcp_tools": genai.TOOL,
}
_MAX_TRACES = 10_000


class TelemetryTracingProcessor:
    """A tracing processor of the OpenAI Agents SDK."""

    def __init__(self, client: Optional[TelemetryClient] = None) -> None:
        self._client = client or TelemetryClient()
        self._recorder = self._client._recorder  # noqa: SLF001  # part of the package
        self._spans = RecordedSpans(self._client)
        self._runs: dict[str, tuple[str, bool]] = {}
        self._failed: set[str] = set()

    @guarded
    def on_trace_start(self, trace: Any) -> None:
        """Find the run around the trace, or begin one."""
        if len(self._runs) >= _MAX_TRACES:
            self._runs.pop(next(iter(self._runs)))
        run = current_run()
        if run is not None:
            self._runs[trace.trace_id] = run.run_id, False
        else:
            run_id = self._client.start_run(trace.name, "trace", "openai-agents")
            self._runs[trace.trace_id] = run_id, True

    @guarded
    def on_trace_end(self, trace: Any) -> None:
        """End the run of the trace, failed if an agent at its top failed."""
        run_id, is_own = self._runs.pop(trace.trace_id, ("", False))
        failed = trace.trace_id in self._failed
        self._failed.discard(trace.trace_id)
        if is_own:
            self._client.end_run(run_id, FAILED if failed else None)

    @guarded
    def on_span_start(self, span: Any) -> None:
        """Write the start of a span."""
        known = self._runs.get(span.trace_id)
        if known is None:
            return
        data = span.span_data
        kind = _KINDS.get(data.type, genai.STEP)
        attributes: dict[str, Any] = {}
        if kind in genai.OPERATIONS:
            attributes[genai.OPERATION] = genai.OPERATIONS[kind]
        name = getattr(data, "name", None) or data.type
        if kind == genai.AGENT:
            attributes[genai.AGENT_NAME] = name
        elif kind == genai.TOOL:
            attributes[genai.TOOL_NAME] = name
            name = f"execute_tool {name}"
        self._spans.start(
            known[0],
            span.span_id,
            name,
            kind=kind,
            parent_id=span.parent_id,
            attributes=attributes,
        )

    @guarded
    def on_span_end(self, span: Any) -> None:
        """Write the end of a span, with what only its end knows."""
        error = span.error["message"] if span.error else None
        if error and span.parent_id is None:
            self._failed.add(span.trace_id)
        self._spans.end(span.span_id, error, attributes=_attributes(span.span_data))

    def shutdown(self) -> None:
        """Write what waits."""
        self._client.flush()

    def force_flush(self) -> None:
        """Write what waits."""
        self._client.flush()


def _attributes(data: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if data.type == "function":
        found = {genai.TOOL_ARGUMENTS: data.input, genai.TOOL_RESULT: data.output}
    elif data.type == "generation":
        found = {genai.REQUEST_MODEL: data.model, **_usage(data.usage or {})}
    elif data.type == "response" and data.response is not None:
        response = data.response
        usage = response.usage.model_dump() if response.usage is not None else {}
        found = {
            genai.RESPONSE_MODEL: response.model,
            genai.RESPONSE_ID: response.id,
            **_usage(usage),
        }
    elif data.type == "handoff":
        found = {"from_agent": data.from_agent, "to_agent": data.to_agent}
    return {name: value for name, value in found.items() if value is not None}


def _usage(usage: dict[str, Any]) -> dict[str, Any]:
    inputs = usage.get("input_tokens_details") or {}
    outputs = usage.get("output_tokens_details") or {}
    return {
        # OpenAI counts cached tokens as input, and so do the conventions.
        genai.INPUT_TOKENS: usage.get("input_tokens"),
        genai.CACHE_READ_TOKENS: inputs.get("cached_tokens"),
        genai.OUTPUT_TOKENS: usage.get("output_tokens"),
        genai.REASONING_TOKENS: outputs.get("reasoning_tokens"),
    }
