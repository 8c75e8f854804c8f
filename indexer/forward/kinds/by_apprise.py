"""Deliver alerts by Apprise, which knows a hundred services by their URLs."""

from __future__ import annotations

import logging

from indexer.forward.kinds.alert_text import alert_text
from indexer.forward.kinds.in_thread import ThreadTransport
from indexer.outbox.attempt import DELIVERED, FAILED, AttemptResult
from indexer.outbox.parcel import Parcel
from indexer.outbox.target import Target

REQUIREMENT = (
    "Apprise cannot be used: pip install 'local-telemetry[alerts]', and check the channel's url"
)
_CHARACTERS = 3_500
_TYPES = {"info": "info", "warning": "warning", "error": "failure", "critical": "failure"}


def transport_to(target: Target) -> ThreadTransport:
    """Return the transport for a channel. Raises ImportError or ValueError."""
    # Imported here: it is an extra, and large.
    import apprise

    # It logs addresses, which may have a token in them.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    service = apprise.Apprise()
    if not service.add(target.address):
        raise ValueError("Apprise does not know this url")

    def attempt(parcel: Parcel) -> AttemptResult:
        alert = alert_text(parcel)
        kind = "success" if alert.change == "resolved" else _TYPES.get(alert.level, "info")
        text = alert.text[:_CHARACTERS] or alert.title
        is_sent = service.notify(title=alert.title, body=text, notify_type=kind)
        return AttemptResult(DELIVERED, "sent") if is_sent else AttemptResult(FAILED, "not sent")

    return ThreadTransport(attempt)
