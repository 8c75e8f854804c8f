"""structlog: events that are logged inside a run become its events.

Put `TelemetryProcessor()` into structlog's processors, before the renderer. It changes nothing.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from telemetry_core.integrations.logging_handler import EVENT_TYPE
from telemetry_core.lineage import current_run
from telemetry_core.outcome import details_of


class TelemetryProcessor:
    """Writes each event dictionary as an event `log` of the run that is open around the call."""

    def __call__(
        self, _logger: Any, method_name: str, event_dict: MutableMapping[str, Any], /
    ) -> MutableMapping[str, Any]:
        """Record one event, and pass it on as it came."""
        run = current_run()
        if run is not None:
            payload = {name: value for name, value in event_dict.items() if name != "exc_info"}
            payload["message"] = payload.pop("event", "")
            payload.setdefault("level", method_name)
            exception = _exception_of(event_dict.get("exc_info"))
            if exception is not None:
                payload["exception"] = details_of(exception)
            run.log_event(EVENT_TYPE, payload)
        return event_dict


def _exception_of(exc_info: Any) -> Any:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple) and len(exc_info) == 3:
        return exc_info[1]
    if exc_info:
        # Imported here: only a log call that asks for the exception at hand needs it.
        import sys

        return sys.exc_info()[1]
    return None
