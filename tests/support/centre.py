"""A host for tests: a base whose log is shipped to a centre."""

from __future__ import annotations

from indexer.database.freshness import index_once
from indexer.fleet.shipping.content import Withholding
from indexer.fleet.shipping.round import Shipping
from indexer.fleet.shipping.state import load_state
from indexer.system.base import Base
from tests.support.clickhouse import Centre

TARGET = "fleet"


class Host:
    """A base whose log is shipped to a centre by the project's own code."""

    def __init__(self, base: Base, centre: Centre, *, content: bool = True) -> None:
        self.base = base
        self.centre = centre
        self._withholding = Withholding(ships_content=content)

    def shipping(self) -> Shipping:
        """What a process that has just started ships with."""
        state = load_state(self.base, TARGET, self.centre.address)
        return Shipping(self.base, self.centre.client, state, self._withholding)

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


def point_at(base: Base, centre: Centre, *, content: bool = True) -> None:
    """Name the centre in the settings file of a base, as an operator does."""
    address = centre.address
    (base.directory / "config").mkdir(parents=True, exist_ok=True)
    (base.directory / "config" / "telemetry.toml").write_text(
        f'[targets.{TARGET}]\nkind = "clickhouse"\nurl = "{address.url}"\n'
        f'database = "{address.database}"\ncontent = {str(content).lower()}\n'
    )
