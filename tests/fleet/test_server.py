"""The server of the tests is the real engine: it keeps what it acknowledged, and says errors."""

from __future__ import annotations

import pytest

from indexer.fleet.errors import FleetNotReady, FleetRefused, FleetRequestInvalid, FleetUnreachable
from indexer.fleet.schema.tables import NODES
from indexer.fleet.wire.address import FleetAddress
from indexer.fleet.wire.client import FleetClient
from tests.support.clickhouse import Centre, Server

pytestmark = pytest.mark.needs("clickhouse")

_ROW = ("node-1", "2026-11-22T12:00:00Z", 7, "host-é", "2.0", 0)
_SHIPPED = "SELECT node, shipped, host FROM node_rows FINAL"


def test_an_acknowledged_row_survives_the_kill_of_the_server(tmp_path) -> None:
    """Started again in its directory it answers at its address, with the row."""
    server = Server(tmp_path / "data")
    try:
        centre = Centre(server, "telemetry")
        centre.client.insert(NODES, [_ROW])
        server.kill()
        with pytest.raises(FleetUnreachable):
            centre.rows(_SHIPPED)
        server.start()
        assert centre.rows(_SHIPPED) == [{"node": "node-1", "shipped": 7, "host": "host-é"}]
        centre.client.close()
    finally:
        server.kill()


def test_a_centre_can_be_created_again(centre: Centre) -> None:
    """What is there stays."""
    centre.client.insert(NODES, [_ROW])
    again = Centre(centre.server, centre.address.database)
    assert again.value("SELECT count() FROM node_rows FINAL") == 1
    again.client.close()


def test_errors_are_the_engines_own(centre: Centre) -> None:
    """A table that is not there, and SQL that is none."""
    with pytest.raises(FleetNotReady):
        centre.rows("SELECT * FROM nothing")
    with pytest.raises(FleetRequestInvalid):
        centre.rows("SELEC 1")


def test_only_who_knows_the_password_is_let_in(tmp_path) -> None:
    """By headers, with the user that the server has."""
    server = Server(tmp_path / "data", "reader", "right")
    try:
        wrong = FleetAddress(server.url, "telemetry", "reader", "wrong")
        with FleetClient(wrong) as client, pytest.raises(FleetRefused):
            client.select("SELECT 1")
        centre = Centre(server, "telemetry", user="reader", token="right")
        assert centre.value("SELECT count() FROM agent_runs") == 0
        centre.client.close()
    finally:
        server.kill()
