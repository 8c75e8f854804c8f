"""Derive from the spans of one trace the run that they are.

A span is sent when it has ended, and nothing says that a trace is complete: the run is running
until a root has come.
"""

from __future__ import annotations

from typing import Any, Optional

from indexer.semantics.facts import ERROR, RunFacts
from indexer.semantics.otel.record import Record
from indexer.semantics.otel.span import agent_name, conversation
from indexer.semantics.values import text

_UNCONFIGURED = "unknown_service"


def run_of_trace(records: list[Record]) -> Optional[RunFacts]:
    """Return what the spans of a trace come to; None if there are none."""
    spans = sorted(records, key=lambda one: (one.start or "", one.span_id or ""))
    if not spans:
        return None
    root = next((one for one in spans if one.is_root), None)
    conversations = (conversation(one.attributes) for one in spans)
    context: dict[str, Any] = {
        "conversation_id": next((one for one in conversations if one), None),
        "service": text(spans[0].resource.get("service.name")),
    }
    return RunFacts(
        agent_name=_agent_name(spans, root),
        job_type="trace",
        status=_status(root),
        start_time=min((one.start for one in spans if one.start), default=None),
        end_time=max((one.end for one in spans if one.end), default=None) if root else None,
        error_summary=root.error if root else None,
        host=text(spans[0].resource.get("host.name")),
        context={name: value for name, value in context.items() if value},
    )


def _status(root: Optional[Record]) -> str:
    if root is None:
        return "running"
    return "failed" if root.status == ERROR else "success"


def _agent_name(spans: list[Record], root: Optional[Record]) -> Optional[str]:
    named = (agent_name(one.attributes) for one in spans)
    service = text(spans[0].resource.get("service.name"))
    if service is not None and service.startswith(_UNCONFIGURED):
        service = None
    name = next((one for one in named if one), None) or service
    return root.name if name is None and root is not None else name
