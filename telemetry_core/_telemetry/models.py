"""The path `telemetry.models`, by which code of the earlier product imports the records."""

from telemetry_core.fields import SCHEMA_VERSION
from telemetry_core.records import APIPayload, RunEvent, RunRecord

__all__ = ["SCHEMA_VERSION", "APIPayload", "RunEvent", "RunRecord"]
