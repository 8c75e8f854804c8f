"""List the types of events that describe spans: native ones, and other programs' records.

Apart from the translators, which a pass needs only when such events come.
"""

from __future__ import annotations

from indexer.semantics.sessions.tools import tool_names
from telemetry_core.event import SPAN_ENDED, SPAN_STARTED

OTEL_SPAN, OTEL_LOG = "otel.span", "otel.log"
SESSION_EVENTS = frozenset(f"session.{name}" for name in tool_names())
"""The types of events that keep the lines of coding agents' sessions."""

SPAN_EVENTS = frozenset((SPAN_STARTED, SPAN_ENDED))
"""The types of events that our own client writes of spans."""

FOREIGN_EVENTS = SESSION_EVENTS | {OTEL_SPAN, OTEL_LOG}
"""The types of events that other programs' records are kept as."""
