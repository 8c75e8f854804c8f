"""A payload for one target, and the idempotency key under which it is sent.

Read from the outbox and handed to the sender. It holds data only.
"""

from __future__ import annotations

from typing import NamedTuple

RUN, ALERT = "run", "alert"
"""What a parcel is about; `run_id` and `revision` name an alert's subject and message too."""


class Parcel(NamedTuple):
    """One delivery: every attempt sends the same bytes under the same key."""

    target: str
    run_id: str
    """Of one run, one parcel is in flight at a time."""
    revision: int
    """The revisions of a run are sent in order."""
    key: str
    payload: bytes
    attempt: int
    """The number of this attempt, from 1."""
    kind: str = RUN
    """`run` or `alert`: which events its receipts are."""
