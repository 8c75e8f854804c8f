"""The title and text of an alert message, for channels that send words. Pure."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from indexer.outbox.parcel import Parcel
from indexer.outbox.payload import cut


class AlertText(NamedTuple):
    """What people read."""

    title: str
    text: str
    level: str
    """`info`, `warning`, `error` or `critical`."""
    change: str
    """`fired`, `resolved` or `reminded`."""

    def whole(self, limit: int) -> str:
        """Return title and text as one text of at most so many characters."""
        return cut(f"{self.title}\n{self.text}".rstrip(), limit)


def alert_text(parcel: Parcel) -> AlertText:
    """Return the words of a message. Raises ValueError for what is not one."""
    message = orjson.loads(parcel.payload)
    return AlertText(*(str(message.get(name) or "") for name in AlertText._fields))
