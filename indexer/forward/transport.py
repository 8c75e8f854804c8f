"""How a parcel gets to a target. Each kind of target is one module of `indexer.forward.kinds`.

Used by the sender, in its event loop. A transport makes one attempt and returns its result; it
does not decide whether or when to make another.
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from indexer.forward.failure import TransportUnavailable
from indexer.outbox.attempt import AttemptResult
from indexer.outbox.parcel import Parcel
from indexer.outbox.target import Target

_MODULES = {
    "http": "http",
    "sheets": "sheets",
    "file": "plain_file",
    "otlp": "otlp",
    "slack": "chat",
    "discord": "chat",
    "ntfy": "chat",
    "email": "mail",
    "command": "command",
    "desktop": "desktop",
    "apprise": "by_apprise",
}


class Transport(Protocol):
    """What each kind implements."""

    async def send(self, parcel: Parcel) -> AttemptResult:
        """Make one attempt. May raise any exception, and may be cancelled at any point."""
        ...

    async def close(self) -> None:
        """Release what is open."""


def make_transport(target: Target) -> Transport:
    """Return the transport for a target. Raises TransportUnavailable."""
    # Imported here: a file needs no HTTP, and most users forward nothing.
    module = import_module(f"indexer.forward.kinds.{_MODULES[target.kind]}")
    try:
        transport: Transport = module.transport_to(target)
    except Exception as error:
        raise TransportUnavailable(f"{module.REQUIREMENT} ({type(error).__name__})") from error
    return transport
