"""A host for tests: a base whose log is shipped to a centre."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from indexer.database.freshness import index_once
from indexer.fleet.checking.finding import Findings
from indexer.fleet.checking.verify import verify
from indexer.fleet.shipping.content import Withholding
from indexer.fleet.shipping.round import Shipping
from indexer.fleet.shipping.state import load_state
from indexer.fleet.wire.address import FleetAddress
from indexer.store.connection import open_reader
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from tests.support.clickhouse import Centre
from tests.support.fleet_judge import differences

TARGET = "fleet"
DAY = "events_20261122.ndjson"


class Host:
    """A base whose log is shipped to a centre by the project's own code."""

    def __init__(self, base: Base, centre: Centre, *, content: bool = True) -> None:
        self.base = base
        self.centre = centre
        self._ships_content = content
        self._withholding = Withholding(ships_content=content)

    def shipping(self) -> Shipping:
        """What a process that has just started ships with."""
        state = load_state(self.base, TARGET, self.centre.address)
        return Shipping(self.base, self.centre.client, state, self._withholding)

    @property
    def state_file(self) -> Path:
        """Where it keeps how far it has shipped."""
        return self.base.database_path.parent / f"fleet-{TARGET}.json"

    def append(self, *lines: bytes, segment: str = DAY) -> None:
        """Append lines to a segment, whatever they are."""
        self.base.log_directory.mkdir(parents=True, exist_ok=True)
        with open(self.base.log_directory / segment, "ab") as file:
            file.write(b"".join(lines))

    def verified(self) -> Findings:
        """What a comparison with the centre finds."""
        index_once(self.base)
        with closing(open_reader(self.base.database_path)) as reader:
            found = verify(self.base, reader, self.centre.client, ships_content=self._ships_content)
        return found.findings

    def ship(self) -> int:
        """Index and ship all that is new; return how many lines."""
        index_once(self.base)
        return self.ship_indexed()

    def ship_indexed(self) -> int:
        """Ship what the database has; return how many lines."""
        shipping, lines = self.shipping(), 0
        while True:
            done = shipping.ship_round()
            lines += done.lines
            if done.is_last:
                return lines


class Fleet:
    """Some hosts, and the judge of what their centre has."""

    def __init__(self, centre: Centre, directory: Path) -> None:
        self.centre = centre
        self.directory = directory
        self.hosts: list[Host] = []

    def host(self, name: str = "") -> Host:
        """Add a host with an empty log."""
        config = TelemetryConfig.for_base(self.directory / (name or f"h{len(self.hosts)}"))
        self.hosts.append(Host(Base(config), self.centre))
        return self.hosts[-1]

    def differences(self, logs: Iterable[Base] = ()) -> list[str]:
        """Where the centre differs from an index over all logs: the hosts', if none are given."""
        bases = list(logs) or [host.base for host in self.hosts]
        return differences(self.centre, bases, self.directory / "union")


def point_at(base: Base, centre: Centre, *, content: bool = True, more: str = "") -> None:
    """Name the centre in the settings file of a base, as an operator does."""
    configure(base.directory, centre.address, content=content, more=more)


def configure(
    base: Path,
    address: FleetAddress,
    name: str = TARGET,
    *,
    content: bool = True,
    more: str = "",
) -> None:
    """Have a base directory name a centre as one of its targets, with further settings."""
    (base / "config").mkdir(parents=True, exist_ok=True)
    with open(base / "config" / "telemetry.toml", "a", encoding="utf-8") as file:
        file.write(settings_of(address, name, content=content, more=more))


def settings_of(
    address: FleetAddress, name: str = TARGET, *, content: bool = True, more: str = ""
) -> str:
    """Return what names a centre in a settings file, with further settings."""
    return (
        f'[targets.{name}]\nkind = "clickhouse"\nurl = "{address.url}"\n'
        f'database = "{address.database}"\ncontent = {str(content).lower()}\n{more}\n'
    )
