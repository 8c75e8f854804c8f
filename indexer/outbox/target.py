"""The target: where runs go, which of them, and how much of it at a time.

Made from the environment and the settings file, read by everything that forwards. Its token
shows in no text that is made of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Optional

from indexer.outbox.payload import ALL_FIELDS, KNOWN_FIELDS
from telemetry_core.config import without_secrets

DEFAULT_RATE = 20.0
DEFAULT_IN_FLIGHT = 4
DEFAULT_TIMEOUT = 30.0


@dataclass(frozen=True)
class Target:
    """One named target."""

    name: str
    kind: str
    address: str = field(repr=False)
    """A URL or a path."""
    token: Optional[str] = field(default=None, repr=False)
    agents: tuple[str, ...] = ()
    """Patterns of agents' names, as a shell has them; empty for all."""
    statuses: tuple[str, ...] = ()
    """Empty for all."""
    all_fields: bool = False
    rate: float = DEFAULT_RATE
    """Parcels a second, at most."""
    in_flight: int = DEFAULT_IN_FLIGHT
    """Parcels under way at once, at most."""
    timeout: float = DEFAULT_TIMEOUT
    """Seconds for an attempt, from the first look at the name to the last byte."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are sent."""
        return ALL_FIELDS if self.all_fields else KNOWN_FIELDS

    @property
    def shown_address(self) -> str:
        """The address as it may be shown."""
        return without_secrets(self.address)

    @property
    def choice(self) -> str:
        """What decides which runs go there and with what bytes: all that a queue hangs on."""
        return repr((self.name, self.kind, self.agents, self.statuses, self.all_fields))

    def wants(self, agent_name: Any, status: Any) -> bool:
        """Whether runs of this agent and status go there."""
        if self.statuses and status not in self.statuses:
            return False
        if not self.agents:
            return True
        return any(fnmatchcase(str(agent_name or ""), pattern) for pattern in self.agents)
