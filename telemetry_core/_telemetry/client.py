"""The path `telemetry.client`, by which code of the earlier product imports the client."""

from telemetry_core.client import TelemetryClient
from telemetry_core.config import TelemetryConfig
from telemetry_core.run_context import RunContext

__all__ = ["RunContext", "TelemetryClient", "TelemetryConfig"]
