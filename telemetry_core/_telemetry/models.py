"""The path `telemetry.models`, by which code of the earlier product imports the records."""

from telemetry_core.records import APIPayload, RunEvent, RunRecord
from telemetry_core.run_fields import SCHEMA_VERSION

__all__ = ["SCHEMA_VERSION", "APIPayload", "RunEvent", "RunRecord"]
