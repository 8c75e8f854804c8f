"""Describe where runs are sent, which of them, and how fast.

Made from the environment and the settings file. No text that is made of it shows its token.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Optional

from indexer.outbox.payload import ALL_FIELDS, KNOWN_FIELDS
from telemetry_core.config import without_secrets
from telemetry_core.status import STATUSES

OTLP = "otlp"
CLICKHOUSE = "clickhouse"
"""A fleet's centre: it gets lines and rows by cursor over the log, and nothing of the outbox."""
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
    """Patterns of agent names, as in a shell; empty for all."""
    statuses: tuple[str, ...] = ()
    """Empty for all."""
    all_fields: bool = False
    content: bool = False
    """For `otlp` and `clickhouse`: whether prompts, answers, and arguments and results of tools
    are sent."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Further request headers."""
    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """What only one kind has: the recipients of an e-mail, the database and user of a centre."""
    rate: float = DEFAULT_RATE
    """The most parcels per second."""
    in_flight: int = DEFAULT_IN_FLIGHT
    """The most parcels that are sent at once."""
    timeout: float = DEFAULT_TIMEOUT
    """Seconds for an attempt, from resolving the host name to the last byte."""

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that are sent."""
        return ALL_FIELDS if self.all_fields else KNOWN_FIELDS

    @property
    def shown_address(self) -> str:
        """The address without user, password and query."""
        return without_secrets(self.address)

    @property
    def selection(self) -> str:
        """All settings that decide which runs are sent and with which bytes."""
        choice = (self.name, self.kind, self.agents, self.statuses, self.all_fields, self.content)
        return repr(choice)

    @property
    def custom_statuses(self) -> tuple[str, ...]:
        """Statuses of the filter that only an agent's own status can match."""
        return tuple(status for status in self.statuses if status not in STATUSES)

    def wants(self, agent_name: Any, status: Any) -> bool:
        """Return whether runs of this agent and status are sent there."""
        if self.statuses and status not in self.statuses:
            return False
        if not self.agents:
            return True
        return any(fnmatchcase(str(agent_name or ""), pattern) for pattern in self.agents)
