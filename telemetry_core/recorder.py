"""Turn what the client's objects have to say into events in the log.

One per client, shared with its runs and spans. It encodes, hands the line to the writer, and
counts what went wrong in us.
"""

from __future__ import annotations

import time
from typing import Any, Optional

from telemetry_core import notices, redaction
from telemetry_core.clock import CLOCK
from telemetry_core.config import TelemetryConfig
from telemetry_core.degrade import text_of
from telemetry_core.line import MAX_LINE_BYTES, line_of
from telemetry_core.process import host_name, own_source
from telemetry_core.run_id import run_id_of
from telemetry_core.writer import Writer
from telemetry_core.writers import writer_for

# A configuration may ask for long waits, not for endless ones.
_MAX_BUDGET_MS = 60_000.0


class Recorder:
    """The way of one client's events to the log."""

    def __init__(self, config: TelemetryConfig) -> None:
        self.writer: Writer = writer_for(config.ndjson_dir, host_name())
        self.budget = min(max(config.lock_budget_ms, 0.0), _MAX_BUDGET_MS) / 1000
        """Seconds that one call may wait for locks."""
        self._fast = self.writer.fast
        self.sync = config.durability == "fsync"
        self.errors = 0
        """Our own failures and wrong arguments, since the client was created."""
        self.last_error = ""

    def emit(  # noqa: PLR0917  # the parts of an event, in their order
        self,
        kind: str,
        run_id: str,
        data: dict[str, Any],
        extensions: Optional[dict[str, Any]] = None,
        tick: Optional[tuple[str, str, str]] = None,
        max_bytes: int = MAX_LINE_BYTES,
    ) -> Optional[str]:
        """Append one event; return its id if the log has it, None if it waits in memory.

        `tick` is what `CLOCK.next` returned, if the caller has asked for it already.
        """
        fast = self._fast
        if fast is not None and not extensions and type(run_id) is str:
            head = fast.heads.get((kind, run_id)) or fast.head_of(kind, run_id)
            when = tick or CLOCK.ticker
            # Of lines that it makes, none is longer than `max_bytes`.
            made = fast.emit(
                head, data, when, time.time_ns(), redaction.active, self.sync, self.budget
            )
            if isinstance(made, str):
                return made
            if made is not None:
                event_id, line, day, budget = made
                return event_id if self.writer.write(line, day, 1, self.sync, budget) else None
        event_id, moment, day = tick or CLOCK.next()
        subject = run_id_of(run_id)
        line = line_of(event_id, own_source(), kind, subject, moment, data, extensions, max_bytes)
        return event_id if self.writer.write(line, day, 1, self.sync, self.budget) else None

    def stats(self) -> dict[str, Any]:
        """Return what the writer counted, and the client's own errors."""
        return {
            **self.writer.stats(),
            "client_errors": self.errors,
            "last_client_error": self.last_error,
        }

    def failed(self, error: Exception) -> None:
        """Count one of our own failures."""
        self.errors += 1
        try:
            self.last_error = f"{type(error).__name__}: {text_of(error)[:1000]}"
        except TypeError:
            # Python empties modules at its very end: what they had is None, `text_of` too.
            self.last_error = "the interpreter has ended"

    def misused(self, text: str) -> None:
        """Count wrong arguments, and report them once."""
        self.errors += 1
        self.last_error = text
        notices.warn_once(text[:200], f"wrong arguments, so nothing was recorded: {text}")
