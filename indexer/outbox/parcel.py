"""The parcel: bytes on their way to one target, and the key by which it knows them again.

Made by whoever knows what is delivered, carried by whoever knows how. It holds data only.
"""

from __future__ import annotations

from typing import NamedTuple


class Parcel(NamedTuple):
    """One delivery, the same bytes under the same key each time that it is tried."""

    target: str
    subject: str
    """What it is about: of one subject, one parcel is under way at a time."""
    number: int
    """Its place among the parcels of its subject, which go in order."""
    key: str
    body: bytes
    attempt: int
    """Which attempt this is, from 1."""
