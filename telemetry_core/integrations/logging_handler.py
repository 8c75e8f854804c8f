"""Make events of the log records that `logging` gets inside a run.

`logging.getLogger().addHandler(TelemetryHandler())`. Outside of any run it does nothing.
"""

from __future__ import annotations

import logging
from typing import Any

from telemetry_core.lineage import current_run
from telemetry_core.outcome import MAX_DETAILS, cut

EVENT_TYPE = "log"
_STANDARD = frozenset(vars(logging.makeLogRecord({})))
_OWN_LOGGER = "telemetry_core"


class TelemetryHandler(logging.Handler):
    """Writes each record as an event `log` of the run that is open around the call."""

    def emit(self, record: logging.LogRecord) -> None:
        """Record one log record: level, logger, message, exception, and what `extra` gave."""
        run = current_run()
        if run is None or record.name.partition(".")[0] == _OWN_LOGGER:
            # Our own warnings are about events that cannot be written.
            return
        try:
            payload = self._payload(record)
        except Exception:
            # A format that does not fit its arguments, as logging itself reports it.
            self.handleError(record)
            return
        run.log_event(EVENT_TYPE, payload)

    def _payload(self, record: logging.LogRecord) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "location": f"{record.pathname}:{record.lineno}",
        }
        if record.exc_info and record.exc_info[0] is not None:
            text = logging.Formatter().formatException(record.exc_info)
            payload["exception"] = cut(text, MAX_DETAILS)
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if extra:
            payload["extra"] = extra
        return payload
