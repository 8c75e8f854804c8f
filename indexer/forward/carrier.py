"""The carrier: how a parcel gets to a target. Each kind of target is one small file beside this.

Called by the messenger, in its event loop. A carrier makes one attempt and judges it; when to
make another is not its business.
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from indexer.forward.failure import NoCarrier
from indexer.outbox.parcel import Parcel
from indexer.outbox.target import Target
from indexer.outbox.verdict import Verdict

_MODULES = {"http": "http", "sheets": "sheets", "file": "plain_file"}


class Carrier(Protocol):
    """What each kind has."""

    async def carry(self, parcel: Parcel) -> Verdict:
        """Make one attempt. May raise anything, and may be cancelled at any point."""

    async def close(self) -> None:
        """Give back what is open."""


def make_carrier(target: Target) -> Carrier:
    """Return what carries to a target. Raises NoCarrier."""
    # Imported here: who forwards to a file needs no HTTP, and who forwards nothing needs neither.
    module = import_module(f"indexer.forward.kinds.{_MODULES[target.kind]}")
    try:
        carrier: Carrier = module.carrier_to(target)
    except Exception as error:
        raise NoCarrier(f"{module.WHAT_IT_NEEDS} ({type(error).__name__})") from error
    return carrier
