"""Hosts ship their logs, and the centre's rows are those of all hosts' events."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.centre import Host
from tests.support.clickhouse import Centre
from tests.support.fleet_judge import differences

pytestmark = pytest.mark.needs("clickhouse")


def test_a_run_of_two_hosts_is_one_row_and_shipping_again_changes_nothing(
    centre: Centre, hosts: Path
) -> None:
    """The last to ship folds it; what is sent again after the cursors were lost is the same."""
    clients = [_client(hosts / str(number)) for number in range(2)]
    some = [Host(Base(client.config), centre) for client in clients]
    with clients[0].track_run("agent", "job") as run, run.llm_call("gpt-5") as call:
        call.usage(input_tokens=12, output_tokens=8)
        run.log_metrics({"loss": 0.5}, step=1)
    shared = clients[0].start_run("shared", "job")
    some[0].ship()
    clients[1].end_run(shared, "failed")
    some[1].ship()
    assert differences(centre, [host.base for host in some], hosts / "union") == []
    for host in some:
        (host.base.database_path.parent / "fleet-fleet.json").unlink()
        host.ship()
    assert differences(centre, [host.base for host in some], hosts / "union") == []
    centre.server.requests()
    assert some[0].ship() == 0
    assert centre.server.requests() == []


def _client(directory: Path) -> TelemetryClient:
    return TelemetryClient(TelemetryConfig.for_base(directory, {"TELEMETRY_GIT": "false"}))
