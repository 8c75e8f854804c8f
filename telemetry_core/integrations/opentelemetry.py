"""Record spans of OpenTelemetry's SDK as spans of the run around them, or as runs.

`provider.add_span_processor(TelemetrySpanProcessor(client))`. A span is written when it starts and
when it ends, straight to the log, so that open spans survive the death of the process. Attributes
stay as they are; the indexer knows the GenAI conventions.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Optional

from telemetry_core import genai
from telemetry_core.client import TelemetryClient
from telemetry_core.guard import guarded
from telemetry_core.integrations.recorded_spans import RecordedSpans
from telemetry_core.lineage import current_run
from telemetry_core.timestamp import format_time

_KINDS = {operation: kind for kind, operation in genai.OPERATIONS.items()}
_ERROR_CODE = 2


class TelemetrySpanProcessor:
    """A span processor of the OpenTelemetry SDK.

    Outside of any run, a span without a local parent begins the run `trace-<trace id>`, which ends
    with it.
    """

    def __init__(self, client: Optional[TelemetryClient] = None) -> None:
        self._client = client or TelemetryClient()
        self._recorder = self._client._recorder  # noqa: SLF001  # part of the package
        self._spans = RecordedSpans(self._client)

    @guarded
    def on_start(self, span: Any, parent_context: Any = None) -> None:  # noqa: ARG002  # the SDK's
        """Write the start of a span."""
        context, parent = span.get_span_context(), span.parent
        parent_id = f"{parent.span_id:016x}" if parent is not None else None
        attributes = dict(span.attributes or {})
        run_id = self._spans.run_of(parent_id)
        owns_run = False
        if run_id is None:
            run = current_run()
            if run is not None:
                run_id, parent_id = run.run_id, None
            else:
                run_id, owns_run = self._start_run(span, context.trace_id), True
        self._spans.start(
            run_id,
            f"{context.span_id:016x}",
            span.name,
            kind=_KINDS.get(str(attributes.get(genai.OPERATION)), genai.STEP),
            parent_id=parent_id,
            attributes=attributes,
            start_time=_time(span.start_time),
            owns_run=owns_run,
        )

    def _start_run(self, span: Any, trace_id: int) -> str:
        resource = getattr(span, "resource", None)
        service = resource.attributes.get("service.name") if resource is not None else None
        named = service and not str(service).startswith("unknown_service")
        return self._client.start_run(
            str(service) if named else span.name,
            span.name,
            "opentelemetry",
            run_id=f"trace-{trace_id:032x}",
        )

    @guarded
    def on_end(self, span: Any) -> None:
        """Write the end of a span, with its attributes and its error."""
        error = None
        if span.status.status_code.value == _ERROR_CODE:
            error = _error_of(span)
        span_id = f"{span.get_span_context().span_id:016x}"
        ended = _time(span.end_time)
        self._spans.end(span_id, error, attributes=span.attributes, end_time=ended)

    def _on_ending(self, span: Any) -> None:
        """The SDK calls this before `on_end`; nothing is written then."""

    def shutdown(self) -> None:
        """Write what waits."""
        self._client.flush()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002  # the SDK's
        """Write what waits; return whether nothing does any longer."""
        return bool(self._client.flush())


def _error_of(span: Any) -> str:
    for event in reversed(span.events or ()):
        attributes: Mapping[str, Any] = event.attributes or {}
        if event.name == "exception" and "exception.type" in attributes:
            return f"{attributes['exception.type']}: {attributes.get('exception.message', '')}"
    return span.status.description or str(span.attributes.get(genai.ERROR_TYPE, "error"))


def _time(nanoseconds: Optional[int]) -> Optional[str]:
    if nanoseconds is None:
        return None
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return format_time(moment.replace(microsecond=rest // 1000))
