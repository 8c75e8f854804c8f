"""Local Telemetry's writer: what an agent imports to record its runs.

It depends on the standard library, orjson and, on Windows, portalocker. It never writes to the
database, uses the network, starts a process or a thread, or prints to stdout.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from telemetry_core.client import TelemetryClient
    from telemetry_core.config import TelemetryConfig
    from telemetry_core.decorators import span, tool
    from telemetry_core.event import Event
    from telemetry_core.lineage import current_run, current_span
    from telemetry_core.model_call import ModelCall, ToolCall
    from telemetry_core.records import APIPayload, RunEvent, RunRecord
    from telemetry_core.run_context import RunContext
    from telemetry_core.run_fields import RUN_FIELDS, SCHEMA_VERSION
    from telemetry_core.spans import Span

__version__ = "1.0.0"

__all__ = [
    "RUN_FIELDS",
    "SCHEMA_VERSION",
    "APIPayload",
    "Event",
    "ModelCall",
    "RunContext",
    "RunEvent",
    "RunRecord",
    "Span",
    "TelemetryClient",
    "TelemetryConfig",
    "ToolCall",
    "__version__",
    "current_run",
    "current_span",
    "span",
    "tool",
]

# Loaded on first access: code that needs only a part (the version, the pytest plugin, the codec)
# does not pay for the whole.
_HOMES = {
    "APIPayload": "records",
    "Event": "event",
    "ModelCall": "model_call",
    "RUN_FIELDS": "run_fields",
    "RunContext": "run_context",
    "RunEvent": "records",
    "RunRecord": "records",
    "SCHEMA_VERSION": "run_fields",
    "Span": "spans",
    "TelemetryClient": "client",
    "TelemetryConfig": "config",
    "ToolCall": "model_call",
    "current_run": "lineage",
    "current_span": "lineage",
    "span": "decorators",
    "tool": "decorators",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"telemetry_core.{home}"), name)
    globals()[name] = value
    return value
