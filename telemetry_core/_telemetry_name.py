"""The name `telemetry`: what existing users' code imports, installed beside telemetry_core.

It holds nothing of its own.
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
]
