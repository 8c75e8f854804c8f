"""The path `telemetry.config`, by which code of the earlier product imports the configuration."""

from telemetry_core.config import TelemetryConfig

__all__ = ["TelemetryConfig"]
