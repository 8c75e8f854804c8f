"""Hosts ship their logs, and the centre's rows are those of all hosts' events."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from indexer.fleet.schema.tables import EVENT_ROWS, LOG_LINES, NODE_ROWS, RUN_ROWS
from indexer.fleet.shipping import batch
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.centre import Fleet, Host
from tests.support.clickhouse import Centre
from tests.support.database import event, lines_of
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


def test_little_may_be_gathered_with_what_others_send_and_much_is_not(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each insert is a part to be merged; none is acknowledged before it is stored."""
    monkeypatch.setattr(batch, "MAX_LINES", 3)
    host, sent = fleet.host(), _inserts(fleet.centre)
    host.append(lines_of([event(number) for number in range(2)]))
    host.ship()
    assert {one["async_insert"] for one in sent} == {"1"}
    assert _tables(sent) == {LOG_LINES, EVENT_ROWS, RUN_ROWS, NODE_ROWS}
    sent.clear()
    host.append(lines_of([event(number) for number in range(2, 7)]))
    host.ship()
    assert {one["async_insert"] for one in sent} == {"0"}
    assert _tables(sent) == {LOG_LINES, EVENT_ROWS, RUN_ROWS, NODE_ROWS}


def _inserts(centre: Centre) -> list[dict[str, str]]:
    """The parameters of the inserts that a centre gets from now on."""
    sent: list[dict[str, str]] = []

    def note(request: httpx.Request) -> None:
        given = dict(request.url.params)
        if "query" in given:
            sent.append(given)
            assert given["wait_for_async_insert"] == "1"
            assert given["insert_deduplicate"] == given["async_insert_deduplicate"] == "0"

    centre.client._http.event_hooks = {"request": [note]}
    return sent


def _tables(sent: list[dict[str, str]]) -> set[str]:
    return {one["query"].split("`")[1] for one in sent}


def _client(directory: Path) -> TelemetryClient:
    return TelemetryClient(TelemetryConfig.for_base(directory, {"TELEMETRY_GIT": "false"}))
