"""Local Telemetry's writer: what an agent imports to record its runs.

It depends on the standard library, orjson and, on Windows, portalocker. It never opens the
database for writing, touches the network, starts a process or a thread, or prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telemetry_core.client import TelemetryClient
from telemetry_core.config import TelemetryConfig
from telemetry_core.event import Event
from telemetry_core.fields import RUN_FIELDS, SCHEMA_VERSION
from telemetry_core.run_context import RunContext

if TYPE_CHECKING:
    from telemetry_core.records import APIPayload, RunEvent, RunRecord

__version__ = "1.0.0"

__all__ = [
    "RUN_FIELDS",
    "SCHEMA_VERSION",
    "APIPayload",
    "Event",
    "RunContext",
    "RunEvent",
    "RunRecord",
    "TelemetryClient",
    "TelemetryConfig",
    "__version__",
]


def __getattr__(name: str) -> Any:
    # The records are seldom used, and making them costs an import some milliseconds.
    if name in ("RunRecord", "RunEvent", "APIPayload"):
        from telemetry_core import records

        return getattr(records, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
