"""Write several events of a run under one lock, in one write.

Made by `TelemetryClient.log_events`. Bounded only by what the caller gives: the lines of a batch
are in memory until they are written.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, Optional

from telemetry_core import redaction
from telemetry_core.clock import CLOCK
from telemetry_core.event import RUN_EVENT
from telemetry_core.guard import guarded
from telemetry_core.line import line_of, redacted_lines
from telemetry_core.process import own_source
from telemetry_core.recorder import Recorder
from telemetry_core.redaction import data_of
from telemetry_core.run_id import run_id_of

_MAX_BYTES = 4 * 1024 * 1024
"""Lines are written when they come to this much: an endless iterable must not fill memory."""


class Batch:
    """Encoded events that are not written yet, with the ids of all there were."""

    def __init__(self, recorder: Recorder, run_id: str) -> None:
        self._recorder = recorder
        self._subject = run_id_of(run_id)
        self._source = own_source()
        fast = recorder.writer.fast
        self._fast = None if fast is None else fast.emit
        self._head = None if fast is None else fast.head_of(RUN_EVENT, self._subject)
        # Asked for once: at the interpreter's very end the names of this module are None.
        self._ticker, self._now, self._redactor = CLOCK.ticker, time.time_ns, redaction.active
        # One buffer: with a list of lines the memory of each is new to the processor.
        self._lines = bytearray()
        self._data = bytearray()
        """What secrets are looked for in: the data of each line that was not looked at yet."""
        self._day = ""
        self._ids: list[str] = []
        self._written = 0
        """Of how many ids the lines are written."""
        self._is_complete = True

    @property
    def ids(self) -> Optional[list[str]]:
        """The ids of the events; None if the log does not have them all."""
        return self._ids if self._is_complete else None

    @guarded
    def checked(self, events: Iterable[Any]) -> Optional[Iterator[Any]]:
        """Return an iterator over `events`; what is not iterable is counted as wrong."""
        self._is_complete = False
        iterator = iter(events)
        self._is_complete = True
        return iterator

    @guarded
    def add(self, event: Any) -> None:
        """Encode one event; what is no pair is recorded as it is, not lost with the others."""
        event_type, payload = _pair(event)
        data = {"event_type": event_type, "payload": payload}
        event_id, moment, day = CLOCK.next()
        line = line_of(event_id, self._source, RUN_EVENT, self._subject, moment, data, redact=False)
        self._lines += line
        self._data += data_of(line)
        self._ids.append(event_id)
        self._day = self._day or day
        if len(self._lines) >= _MAX_BYTES:
            self.write()

    def take(self, events: Iterator[Any]) -> None:
        """Encode events; what the iterator raises is the caller's, and passes.

        A usual one is encoded by the extension, in as few steps as can be; any other by `add`.
        """
        fast, head, redactor = self._fast, self._head, self._redactor
        ticker, now, ids = self._ticker, self._now, self._ids
        for event in events:
            made = None
            if fast is not None and type(event) is tuple and len(event) == 2:
                event_type, payload = event
                data = {"event_type": event_type, "payload": payload}
                try:
                    made = fast(head, data, ticker, now(), redactor, False, -1.0)
                except MemoryError:
                    pass
            if type(made) is not tuple:
                self.add(event)
                continue
            event_id, line, day, _ = made
            ids.append(event_id)
            if not self._day:
                self._day = day
            lines = self._lines
            lines += line
            if len(lines) >= _MAX_BYTES:
                self.write()

    @guarded
    def write(self) -> None:
        """Append what is encoded."""
        count = len(self._ids) - self._written
        if not count:
            return
        lines, data, day = bytes(self._lines), bytes(self._data), self._day
        self._lines, self._data, self._day = bytearray(), bytearray(), ""
        self._written += count
        lines = redacted_lines(lines, data)
        recorder = self._recorder
        if not recorder.writer.write(lines, day, count, recorder.sync, recorder.budget):
            self._is_complete = False


def _pair(event: Any) -> tuple[Any, Any]:
    if isinstance(event, (tuple, list)) and len(event) == 2:
        return event[0], event[1]
    return (event, None) if isinstance(event, str) else ("event", event)
