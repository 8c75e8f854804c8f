"""One immutable fact about a run, in memory.

Made by the client, carried as a line, read by the fold. No I/O, no clock.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

RUN_STARTED = "run.started"
RUN_EVENT = "run.event"
RUN_UPDATED = "run.updated"
RUN_ENDED = "run.ended"
RUN_INCREMENTED = "run.incremented"
"""Numbers to add to run fields and metrics: counters that any number of processes may raise."""
RUN_METRICS = "run.metrics"
"""One point of one or more series: `step` and `metrics`."""
RUN_ALERT = "run.alert"
"""Something that the agent wants people to know at once: `title`, `text` and `level`."""
SPAN_STARTED = "span.started"
SPAN_ENDED = "span.ended"
RUN_DELIVERED = "run.delivered"
RUN_DELIVERY_FAILED = "run.delivery_failed"
RUN_DELIVERY_RETRIED = "run.delivery_retried"
"""Somebody wants to have a run delivered that its receiver did not want."""

API_TARGET = "api"
"""The target that the columns api_posted, api_posted_at and api_retry_count speak of."""

FORWARD_RETRIED = "forward.retried"
"""Said of a target, not of a run: it is to be tried again at once."""

ALERT_STARTED = "alert.started"
"""Said of an alert rule: it applies to what happens from then on."""
ALERT_FIRED = "alert.fired"
ALERT_RESOLVED = "alert.resolved"
ALERT_REMINDED = "alert.reminded"
ALERT_SILENCED = "alert.silenced"
"""Somebody wants no messages for a while, of one rule or of all."""
ALERT_DELIVERED = "alert.delivered"
ALERT_DELIVERY_FAILED = "alert.delivery_failed"

ALERT_SUBJECT = "telemetry.alert"
"""The subject of what is said of all alert rules; that of one is followed by `.` and its name."""

FORWARD_STARTED = "forward.started"
"""Said of a target, not of a run: it gets the runs that change from then on."""

FORWARD_BACKFILL_REQUESTED = "forward.backfill_requested"
"""Said of a target, not of a run: it is to get older runs as well."""

FORWARD_SUBJECT = "telemetry.forward"
"""The subject of what is said of targets."""

WRITER_DROPPED = "writer.dropped"
"""Said of a process, not of a run: how many events it had to let go."""

WRITER_SUBJECT = "telemetry.writer"
"""The subject of what a writer says about itself."""


class Event(NamedTuple):
    """A CloudEvents 1.0 event whose subject is a run."""

    id: str
    """Unique; a UUIDv7 from our own writer, so it sorts by time."""
    source: str
    """`<host>/<pid>` of the process that wrote it."""
    type: str
    run_id: str
    """The CloudEvents `subject`."""
    time: str
    """Canonical UTC: `YYYY-MM-DDTHH:MM:SS.ffffffZ`, so that text order is time order."""
    data: Any
    """An object for the types listed above; other types may carry anything."""
    extensions: Optional[dict[str, Any]] = None
    """CloudEvents extension attributes: every top-level name that is not one of the above."""
