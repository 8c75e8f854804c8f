"""`telemetry fleet verify` is 0 only if the centre has all of this host; status, nodes, rebuild."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.centre import Host, point_at
from tests.support.cli import Cli
from tests.support.clickhouse import Centre
from tests.support.fleet_judge import differences

pytestmark = pytest.mark.needs("clickhouse")


class Two(NamedTuple):
    """Two hosts with a run in common, all of it shipped."""

    hosts: list[Host]
    clients: list[TelemetryClient]
    cli: Cli
    shared: str


@pytest.fixture
def two(centre: Centre, hosts: Path, capsys: pytest.CaptureFixture[str]) -> Two:
    configs = [
        TelemetryConfig.for_base(hosts / str(number), {"TELEMETRY_GIT": "false"})
        for number in range(2)
    ]
    clients = [TelemetryClient(config) for config in configs]
    some = [Host(Base(config), centre) for config in configs]
    with clients[0].track_run("agent", "job") as run, run.llm_call("gpt-5") as call:
        call.usage(input_tokens=12, output_tokens=8)
        run.log_metrics({"loss": 0.5}, step=1)
        run.log_event("seen", {"what": "é"})
    shared = clients[0].start_run("shared", "job")
    some[0].ship()
    clients[1].end_run(shared, "failed")
    some[1].ship()
    for host in some:
        point_at(host.base, centre)
    return Two(some, clients, Cli(some[0].base.directory, capsys), shared)


def test_what_was_shipped_is_equal_on_both_hosts(two: Two, hosts: Path, capsys: Any) -> None:
    """With a run in common, of which neither host has the whole row."""
    for number in range(2):
        ran = Cli(hosts / str(number), capsys)("fleet", "verify", "--json")
        assert (ran.code, ran.json["findings"]) == (0, [])
        assert ran.json["lines"] == ran.json["events"] > 0


_CHANGES = {
    "a line is missing": "log_lines DELETE WHERE offset = 0",
    "a line is changed": "log_lines UPDATE line = 'x' WHERE offset = 0",
    "an event is missing": "event_rows DELETE WHERE event_type = 'seen'",
    "an event is changed": "event_rows UPDATE payload_json = '{}' WHERE event_type = 'seen'",
    "a row is missing": "run_rows DELETE WHERE status = 'success'",
    "a row is changed": "run_rows UPDATE row = replaceOne(row, 'success', 'failed') WHERE"
    " status = 'success'",
    "a span is missing": "span_rows DELETE WHERE true",
    "a span is changed": "span_rows UPDATE row = replaceOne(row, 'gpt-5', 'gpt-4') WHERE true",
    "a metric is missing": "metric_rows DELETE WHERE true",
    "a metric is changed": "metric_rows UPDATE value = 0.25 WHERE true",
}


@pytest.mark.parametrize("change", _CHANGES)
def test_whatever_is_missing_or_changed_is_found(change: str, two: Two, centre: Centre) -> None:
    """One line, event or row in the centre; the exit code is 3, and it is named."""
    centre.client.run(f"ALTER TABLE {_CHANGES[change]}", mutations_sync="2")
    ran = two.cli("fleet", "verify", "--json")
    assert ran.code == 3
    assert [one["what"].split()[0] for one in ran.json["findings"]] == [
        "segment" if "line" in change else "run"
    ]
    assert two.cli("fleet", "verify").code == 3


def test_a_shared_run_whose_fold_was_not_shipped_is_found(two: Two, centre: Centre) -> None:
    """As after a host that died between its events and the fold."""
    centre.client.run(
        f"ALTER TABLE run_rows DELETE WHERE run_id = '{two.shared}' AND status = 'failed'",
        mutations_sync="2",
    )
    assert two.cli("fleet", "verify").code == 3


def test_what_was_not_shipped_yet_is_found_and_shipping_it_mends_it(two: Two) -> None:
    """New lines, their events and the rows of their runs."""
    two.clients[0].log_event(two.shared, "more")
    ran = two.cli("fleet", "verify", "--json")
    assert ran.code == 3
    assert set(ran.json["counts"]) == {"not shipped"}
    two.hosts[0].ship()
    assert two.cli("fleet", "verify").code == 0


def test_a_host_that_never_shipped_has_everything_to_ship(
    centre: Centre, hosts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no name in the fleet, and the command gives it none."""
    config = TelemetryConfig.for_base(hosts / "new", {"TELEMETRY_GIT": "false"})
    TelemetryClient(config).start_run("agent", "job")
    base = Base(config)
    point_at(base, centre)
    cli = Cli(base.directory, capsys)
    ran = cli("fleet", "verify", "--json")
    assert (ran.code, ran.json["node"]) == (3, None)
    assert not list(base.log_directory.glob(".fleet*"))
    status = cli("fleet", "status", "--json")
    assert (status.code, status.json["waiting_lines"], status.json["node"]) == (0, 1, None)


@pytest.mark.parametrize("fault", ["503", "reset before", "wrong credentials", "404"])
def test_without_an_answer_nothing_is_said_about_equality(
    fault: str, two: Two, centre: Centre
) -> None:
    """Exit code 1, with the reason and the fleet's name."""
    centre.server.plan((fault, ""))
    ran = two.cli("fleet", "verify")
    assert ran.code == 1
    assert "error: fleet fleet at 127.0.0.1" in ran.err


def test_a_base_without_a_centre_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All four commands name the page that helps."""
    for command in ("verify", "status", "nodes", "rebuild"):
        ran = Cli(tmp_path, capsys)("fleet", command)
        assert ran.code == 1
        assert "no target of kind clickhouse" in ran.err


def test_what_waits_and_who_ships_is_shown(two: Two, centre: Centre) -> None:
    """Lines, bytes and the oldest of them here; each node with its last shipment."""
    two.clients[0].log_event(two.shared, "more")
    ran = two.cli("fleet", "status", "--json")
    assert (ran.code, ran.json["state"], ran.json["waiting_lines"]) == (0, "open", 1)
    assert ran.json["waiting_bytes"] > 0 < len(ran.json["oldest_waiting"])
    assert len(ran.json["nodes"]) == 2
    assert "1 line" in two.cli("fleet", "status").out
    listed = two.cli("fleet", "nodes", "--json").json["nodes"]
    assert ran.json["node"] in [one["node"] for one in listed]
    two.hosts[0].ship()
    assert two.cli("fleet", "status", "--json").json["oldest_waiting"] is None


def test_a_centre_that_gives_no_answer_shows_in_the_status(two: Two, centre: Centre) -> None:
    """What this host knows is shown all the same, and the exit code is 3."""
    centre.server.plan(("503", ""))
    ran = two.cli("fleet", "status", "--json")
    assert ran.code == 3
    assert "cannot answer now" in ran.json["no_answer"]


def test_a_rebuild_makes_every_event_and_row_of_the_lines(
    two: Two, centre: Centre, hosts: Path
) -> None:
    """With nothing in the centre but the lines, all tables are as they were."""
    for table in ("event_rows", "run_rows", "span_rows", "metric_rows"):
        centre.client.run(f"TRUNCATE TABLE {table}")
    ran = two.cli("fleet", "rebuild", "--json")
    assert ran.code == 0
    assert (ran.json["runs"], ran.json["withheld"]) == (2, 0)
    assert differences(centre, [host.base for host in two.hosts], hosts / "union") == []
    assert two.cli("fleet", "verify").code == 0


def test_a_price_that_changes_on_a_host_differs_until_a_rebuild(two: Two) -> None:
    """It costs history anew here; the centre has what was shipped, until it is made again."""
    with two.clients[0].track_run("agent", "job") as run, run.llm_call("house-model") as call:
        call.usage(input_tokens=1_000, output_tokens=10)
    two.hosts[0].ship()
    assert two.cli("fleet", "verify").code == 0
    prices = two.hosts[0].base.directory / "config" / "prices.toml"
    prices.write_text('[models."house-*"]\ninput = 3\noutput = 15\n')
    ran = two.cli("fleet", "verify", "--json")
    assert (ran.code, set(ran.json["counts"])) == (3, {"differs"})
    assert "its spans differ" in ran.json["findings"][0]["detail"]
    assert two.cli("fleet", "rebuild").code == 0
    assert two.cli("fleet", "verify").code == 0


def test_a_rebuild_keeps_the_events_of_lines_without_content(
    centre: Centre, hosts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They cannot be decoded again, and are counted."""
    config = TelemetryConfig.for_base(hosts / "plain", {"TELEMETRY_GIT": "false"})
    with TelemetryClient(config).track_run("agent", "job") as run:
        run.log_event("e", {"prompt": "secret", "n": 1})
        run.set_metrics(input_summary="secret", own=3)
    host = Host(Base(config), centre, content=False)
    host.ship()
    point_at(host.base, centre, content=False)
    cli = Cli(host.base.directory, capsys)
    assert cli("fleet", "verify").code == 0
    before = centre.rows("SELECT * FROM event_rows FINAL ORDER BY event_id")
    ran = cli("fleet", "rebuild", "--json")
    assert (ran.json["lines"], ran.json["withheld"]) == (0, len(before))
    assert centre.rows("SELECT * FROM event_rows FINAL ORDER BY event_id") == before
    assert cli("fleet", "verify").code == 0
