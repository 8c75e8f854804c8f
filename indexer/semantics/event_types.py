"""List the types of events that describe spans: native ones, and other programs' records.

Apart from the translators, which a pass needs only when such events come.
"""

from __future__ import annotations

from telemetry_core.event import SPAN_ENDED, SPAN_STARTED

OTEL_SPAN, OTEL_LOG = "otel.span", "otel.log"
SESSION_CLAUDE_CODE = "session.claude-code"
SESSION_CODEX = "session.codex"
SESSION_GEMINI = "session.gemini"

SPAN_EVENTS = frozenset((SPAN_STARTED, SPAN_ENDED))
"""The types of events that our own client writes of spans."""

FOREIGN_EVENTS = frozenset(
    (OTEL_SPAN, OTEL_LOG, SESSION_CLAUDE_CODE, SESSION_CODEX, SESSION_GEMINI)
)
"""The types of events that other programs' records are kept as."""
