"""Record spans that another library opens and closes, as spans of a run.

Used by the adapters. The library names its spans and their parents; we write one event when a
span starts and one when it ends, so that a killed process leaves what was open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from telemetry_core import genai
from telemetry_core.client import TelemetryClient
from telemetry_core.clock import CLOCK
from telemetry_core.event import SPAN_ENDED, SPAN_STARTED
from telemetry_core.given_fields import plain_text
from telemetry_core.outcome import one_line

_MAX_OPEN = 100_000
_MAX_BYTES = 1024 * 1024
_MAX_NAME = 500


class _Open(NamedTuple):
    run_id: str
    owns_run: bool


class RecordedSpans:
    """The open spans of one library in this process. Bounded: the oldest are forgotten."""

    def __init__(self, client: TelemetryClient) -> None:
        self._client = client
        self._recorder = client._recorder  # noqa: SLF001  # the adapters are part of the package
        self._open: dict[str, _Open] = {}

    def run_of(self, span_id: Optional[str]) -> Optional[str]:
        """Return the run of an open span, None if it is not open here."""
        known = self._open.get(_short(span_id or ""))
        return known.run_id if known else None

    def start(
        self,
        run_id: str,
        span_id: str,
        name: Any,
        *,
        kind: str = genai.STEP,
        parent_id: Optional[str] = None,
        attributes: Optional[Mapping[str, Any]] = None,
        start_time: Optional[str] = None,
        owns_run: bool = False,
    ) -> None:
        """Write the start of a span; a span that `owns_run` ends its run with it."""
        span_id = _short(span_id)
        if len(self._open) >= _MAX_OPEN:
            self._open.pop(next(iter(self._open)), None)
        self._open[span_id] = _Open(run_id, owns_run)
        tick = CLOCK.tick()
        data: dict[str, Any] = {"span_id": span_id}
        if parent_id:
            data["parent_span_id"] = _short(parent_id)
        data.update(name=plain_text(name)[:_MAX_NAME], kind=kind)
        data["start_time"] = start_time or tick.time
        if attributes:
            data["attributes"] = dict(attributes)
        self._recorder.emit(SPAN_STARTED, run_id, data, None, tick, _MAX_BYTES)

    def end(
        self,
        span_id: str,
        error: Optional[str] = None,
        *,
        attributes: Optional[Mapping[str, Any]] = None,
        end_time: Optional[str] = None,
        status: Optional[str] = None,
    ) -> None:
        """Write the end of a span, and of the run if the span owns it; once.

        `status` is the run's where it is neither success nor failed.
        """
        span_id = _short(span_id)
        known = self._open.pop(span_id, None)
        if known is None:
            return
        tick = CLOCK.tick()
        data: dict[str, Any] = {
            "span_id": span_id,
            "status": "ok" if error is None else "error",
            "end_time": end_time or tick.time,
        }
        if error is not None:
            data["error"] = one_line(error)
        if attributes:
            data["attributes"] = dict(attributes)
        self._recorder.emit(SPAN_ENDED, known.run_id, data, None, tick, _MAX_BYTES)
        if known.owns_run:
            summary = {} if error is None else {"error_summary": error}
            ended = status or ("success" if error is None else "failed")
            self._client.end_run(known.run_id, ended, **summary)


def _short(span_id: str) -> str:
    """Return the 16 digits that a span is known by: the last ones of a UUID or of a longer id."""
    return span_id.replace("-", "")[-16:]
