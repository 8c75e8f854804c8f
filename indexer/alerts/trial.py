"""Send a made-up message to a channel, to see whether it arrives.

Used by `telemetry alerts test`. It leaves nothing in log, database or outbox; the message says of
itself that it is a test.
"""

from __future__ import annotations

from indexer.alerts.message import payload_of_message
from indexer.alerts.state import Message, subject_of_rule
from indexer.forward.trial import try_parcel
from indexer.outbox.attempt import AttemptResult
from indexer.outbox.parcel import ALERT, Parcel
from indexer.outbox.target import Target
from telemetry_core.clock import CLOCK
from telemetry_core.event import ALERT_FIRED

_RULE = "telemetry-alerts-test"


def try_channel(channel: Target) -> AttemptResult:
    """Send a test message, and return the result."""
    tick = CLOCK.tick()
    item = {"subject": "test", "measured": "this is a test", "limit": "none: nothing is wrong"}
    data = {"kind": "test", "level": "info", "key": f"test:{tick.id}", "items": [item], "count": 1}
    payload = payload_of_message(Message(_RULE, ALERT_FIRED, 1, tick.time, data))
    parcel = Parcel(channel.name, subject_of_rule(_RULE), 1, f"test:{tick.id}", payload, 1, ALERT)
    return try_parcel(channel, parcel)
