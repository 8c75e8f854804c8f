"""Provide the name `telemetry` that existing code imports, as a package of its own.

It holds nothing of its own: every name is telemetry_core's.
"""

from telemetry_core import (
    SCHEMA_VERSION,
    APIPayload,
    RunContext,
    RunEvent,
    RunRecord,
    TelemetryClient,
    TelemetryConfig,
    __version__,
    current_run,
    current_span,
    span,
    tool,
)

__all__ = [
    "SCHEMA_VERSION",
    "APIPayload",
    "RunContext",
    "RunEvent",
    "RunRecord",
    "TelemetryClient",
    "TelemetryConfig",
    "__version__",
    "current_run",
    "current_span",
    "span",
    "tool",
]
