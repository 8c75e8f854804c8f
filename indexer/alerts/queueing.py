"""Queue the messages of the log that no channel has yet, in the outbox."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from indexer.alerts.message import payload_of_message
from indexer.alerts.state import AlertState, Message, subject_of_rule
from indexer.outbox.parcel import ALERT
from indexer.outbox.queue import NewParcel, enqueue
from indexer.store.connection import transaction
from telemetry_core.timestamp import format_time

PREFIX = "alert:"
"""Of the names of channels among targets."""
_TOO_OLD = timedelta(days=7)
"""A message that was never queued is not sent after so long, as to a channel that is new."""


def queue_messages(
    connection: sqlite3.Connection, state: AlertState, channels: Collection[str], now: datetime
) -> int:
    """Queue what the channels have not got; return how many parcels. Queueing twice is harmless.

    `channels` are the names of targets, with their prefix.
    """
    parcels = list(_due(state, channels, format_time(now - _TOO_OLD)))
    if parcels:
        with transaction(connection):
            enqueue(connection, parcels)
    return len(parcels)


def _due(state: AlertState, channels: Collection[str], oldest: str) -> Iterator[NewParcel]:
    for rule in state.rules.values():
        for message in rule.messages:
            if message.time < oldest:
                continue
            for name in _channels(message):
                key = (name, message.rule, message.number)
                if name in channels and key not in state.settled:
                    yield _parcel(name, message)


def _channels(message: Message) -> list[str]:
    names = message.data.get("channels")
    return [f"{PREFIX}{name}" for name in names] if isinstance(names, list) else []


def _parcel(channel: str, message: Message) -> NewParcel:
    return NewParcel(
        channel,
        subject_of_rule(message.rule),
        message.number,
        str(message.data.get("key")),
        payload_of_message(message),
        message.time,
        ALERT,
    )
