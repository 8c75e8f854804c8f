"""Rules on a fleet are evaluated by one host, on the rows of all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest

from indexer.alerts.evaluation import Evaluation
from indexer.alerts.fleet.snapshot import Wanted, take_snapshot
from indexer.alerts.settings.load import load_alerts
from indexer.health.health import problems_of
from indexer.outbox.targets import load_targets
from indexer.store.connection import open_reader
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.timestamp import format_time
from tests.support.alerts import AlertBase, rule
from tests.support.centre import Host, settings_of
from tests.support.cli import Cli
from tests.support.clickhouse import Centre
from tests.support.fleet import Fleet, make_fleet

pytestmark = pytest.mark.needs("clickhouse")

_DOWN = ("503", "SELECT sum(cityHash64")
"""The first question of a look at the centre."""

Make = Callable[..., AlertBase]


@pytest.fixture
def make(centre: Centre, hosts: Path) -> Iterator[Make]:
    """Make a host of the fleet, with rules; all have one time."""
    made: list[AlertBase] = []

    def host(*rules: str, more: str = "") -> AlertBase:
        one = AlertBase(
            hosts / str(len(made)), *rules, settings_of(centre.address, more=more), problems=list
        )
        # Its runs and events are other ones.
        one._number = 1_000 * len(made)
        made.append(one)
        return one

    yield host
    for one in made:
        one.alerting.close()
        one.close()


def _ends(host: AlertBase, status: str, at: AlertBase, centre: Centre) -> str:
    """Have a run end on a host at the time of another, and ship it; return its id."""
    host.now = at.now
    run_id = host.run(status, error_summary="ValueError: no" if status == "failed" else None)
    _ship(host, centre)
    return run_id


def _ship(host: AlertBase, centre: Centre) -> None:
    host.step()
    Host(host.base, centre).ship_indexed()


def _look(host: AlertBase, seconds: float = 60.0) -> None:
    """Let time pass, have the centre asked, and send what is due."""
    for one in (seconds, 1.0, 1.0):
        host.step(one)
        for watch in host.alerting._watches.values():
            watch.finish()
    host.settle()


def test_a_failure_on_one_host_is_told_by_another_once_and_resolved(
    make: Make, centre: Centre
) -> None:
    """The host with the rules had no run of its own."""
    here = make(
        rule("failures", "failed", on="fleet"),
        rule("streak", "failed", in_a_row=1, on="fleet"),
    )
    there = make()
    _look(here)
    failed = _ends(there, "failed", here, centre)
    _look(here)
    assert here.subjects() == [failed, "cron / nightly"]
    assert here.messages()[0]["alerts"][0]["error"] == "ValueError: no"
    _look(here)
    here.restart()
    _look(here)
    assert len(here.messages()) == 2
    _ends(there, "success", here, centre)
    _look(here)
    assert here.subjects("resolved") == ["cron / nightly"]
    assert len(here.messages()) == 3


def test_rules_without_the_setting_are_about_their_own_host(make: Make, centre: Centre) -> None:
    """Whatever the others do, and though everything is shipped."""
    first, second = make(rule("own", "failed")), make(rule("own", "failed"))
    for one in (first, second):
        _look(one)
    mine, other = first.run("failed"), second.run("failed")
    for one in (first, second):
        _ship(one, centre)
        _look(one)
    assert (first.subjects(), second.subjects()) == ([mine], [other])


def test_a_job_is_missed_when_no_host_has_done_it(make: Make, centre: Centre) -> None:
    """A run of either host will do; both silent is one alert, and the next run resolves it."""
    late = rule("late", "missed", every="1h", agent="cron", job="nightly", on="fleet")
    here, there = make(late), make()
    _look(here)
    for host in (here, there, here, there):
        here.now += 3000
        _ends(host, "success", here, centre)
        _look(here)
    assert here.messages() == []
    _look(here, 5400)
    assert here.subjects() == ["cron / nightly"]
    _ends(there, "success", here, centre)
    _look(here)
    assert here.subjects("resolved") == ["cron / nightly"]


def test_a_centre_that_is_down_is_a_finding_and_resolves_nothing(
    make: Make, centre: Centre
) -> None:
    """What was firing goes on; once it is back the finding is gone, and what was missed is told."""
    here, there = make(rule("streak", "failed", in_a_row=1, on="fleet")), make()
    _look(here)
    _ends(there, "failed", here, centre)
    _look(here)
    centre.server.plan(*[_DOWN] * 100)
    _look(here, 600)
    (found,) = _findings(here)
    assert found.startswith("alerts on the fleet fleet are not evaluated since 2026-")
    assert "HTTP 503" in found
    assert found.endswith("streak; retried automatically")
    here.restart()
    _look(here, 600)
    assert len(_findings(here)) == 1
    _ends(there, "success", here, centre)
    assert here.messages("resolved") == []
    centre.server.plan()
    _look(here, 600)
    assert here.subjects("resolved") == ["cron / nightly"]
    assert _findings(here) == []


def test_the_loop_does_not_wait_for_a_centre_that_does_not_answer(
    make: Make, centre: Centre
) -> None:
    """The other rules go on meanwhile."""
    here = make(rule("fleet", "failed", on="fleet"), rule("own", "failed"), more="timeout = 4")
    here.settle()
    centre.server.plan(("hold after", _DOWN[1]))
    here.step(60)
    failed = here.run("failed")
    for _ in range(5):
        here.step(2.0)
    watch = here.alerting._watches["fleet"]
    assert watch._thread is not None
    assert watch._thread.is_alive()
    assert here.subjects() == [failed]
    watch.finish()
    here.step()
    assert "cannot be reached" in _findings(here)[0]


def test_each_row_of_a_query_in_the_centre_is_an_alert(make: Make, centre: Centre) -> None:
    """In ClickHouse's own SQL; one that it cannot run spoils no other rule."""
    query = "SELECT agent_name, count() AS runs FROM agent_runs GROUP BY agent_name HAVING runs > 1"
    here = make(
        rule("many", "sql", query=query, on="fleet"),
        rule("wrong", "sql", query="SELECT nothing FROM agent_runs", on="fleet"),
    )
    there = make()
    there.run()
    there.run()
    _ship(there, centre)
    _look(here)
    (message,) = here.messages()
    assert message["rule"] == "many"
    assert message["alerts"][0]["measured"] == "agent_name cron, runs 2"
    assert "nothing" in here.alerting.faults["wrong"]


def test_rows_are_copied_again_only_after_a_host_has_shipped(make: Make, centre: Centre) -> None:
    """Otherwise a look is one small question."""
    here, there = make(rule("failures", "failed", on="fleet")), make()
    there.run()
    _ship(there, centre)
    _look(here)
    centre.server.requests()
    _look(here)
    asked = centre.server.requests()
    assert asked
    assert all(_DOWN[1] in one for one in asked)


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "failed"},
        {"kind": "failed", "agent": "importer"},
        {"kind": "failed", "in_a_row": 1},
        {"kind": "failed", "rate": 0.01, "minimum": 1, "window": "60d"},
        {"kind": "missed", "every": "1h"},
        {"kind": "missed", "every": "1h", "agent": "mailer", "job": "nightly"},
        {"kind": "stale", "after": "1m"},
        {"kind": "slow", "factor": 1.01},
        {"kind": "slow", "limit": "1s"},
        {"kind": "spend", "cost_usd": 0.000001, "per": "agent"},
        {"kind": "spend", "tokens": 1, "per": "model"},
        {"kind": "silent", "after": "1m", "agent": "mailer"},
        {"kind": "raised", "level": "info"},
    ],
    ids=str,
)
def test_every_kind_finds_on_the_fleet_what_it_finds_on_all_logs(
    module_fleet: Fleet, settings: dict[str, object]
) -> None:
    """One rule, on the centre and on one host's database with the logs of all."""
    kind = str(settings.pop("kind"))
    config = module_fleet.reader / "config" / "telemetry.toml"
    config.write_text(
        settings_of(module_fleet.centre.address)
        + '[channels.hook]\nkind = "webhook"\nurl = "http://127.0.0.1:1/"\n'
        + rule("one", kind, on="fleet", **settings)
    )
    base = Base(TelemetryConfig.for_base(module_fleet.reader))
    loaded = load_alerts(base)
    assert not loaded.problems
    (one,) = loaded.rules
    (target,) = load_targets(base).centres
    now = datetime.now(timezone.utc)
    started = format_time(datetime(2026, 1, 1, tzinfo=timezone.utc))
    union = TelemetryConfig.for_base(module_fleet.union)
    taken = take_snapshot(base, target, module_fleet.centre.client, (Wanted(one, started),), now)
    with closing(taken.on.connection), closing(open_reader(union.database_path)) as reader:
        expected = Evaluation(Base(union), reader, now).conditions_of(one, started)
        assert sorted(taken.on.conditions_of(one, started)) == sorted(expected)
    assert expected


@pytest.fixture(scope="module")
def module_fleet(module_centre: Centre, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Three hosts that shipped, and one base with the logs of all."""
    return make_fleet(tmp_path_factory.mktemp("fleet"), module_centre)


def test_a_rule_on_no_fleet_is_reported(hosts: Path) -> None:
    """One on a target that is not there, and one that is about this host by its kind."""
    base = AlertBase(hosts, rule("far", "failed", on="flet"), rule("health", "health", on="fleet"))
    with closing(base):
        said = base.alerting.settings.problems
        assert "alert far: on is 'flet', and no target of kind clickhouse has that name" in said[1]
        assert "alert health: a rule of kind health is about this host" in said[0]
        assert not base.alerting.settings.rules


def test_the_commands_say_on_what_a_rule_is_evaluated(
    centre: Centre, hosts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`alerts check` asks the centre without a daemon, and sends."""
    here, there = hosts / "here", hosts / "there"
    (here / "config").mkdir(parents=True)
    command = '[channels.hook]\nkind = "command"\ncommand = ["true"]\n'
    (here / "config" / "telemetry.toml").write_text(
        command
        + settings_of(centre.address)
        + rule("failures", "failed", on="fleet")
        + rule("own", "failed")
    )
    cli = Cli(here, capsys)
    assert cli("alerts", "check").code == 0
    client = TelemetryClient(TelemetryConfig.for_base(there))
    client.end_run(client.start_run("cron", "nightly"), "failed")
    Host(Base(client.config), centre).ship()
    assert cli("alerts", "check").code == 0
    (sent,) = cli("alerts", "history", "--json").json
    assert (sent["rule"], sent["channels"]) == ("failures", {"hook": "delivered"})
    rules = cli("alerts", "--json").json["rules"]
    assert {one["name"]: one["on"] for one in rules} == {"failures": "fleet", "own": None}
    assert "this host" in cli("alerts").out
    assert "failures is evaluated on the fleet fleet" in cli("alerts", "test", "failures").err
    centre.server.plan(*[_DOWN] * 10)
    checked = cli("alerts", "check")
    assert checked.code == 3
    assert "alert failures cannot be evaluated: the centre cannot answer now" in checked.err
    assert "alerts on the fleet fleet are not evaluated" in cli("alerts").err
    assert any(
        "alerts on the fleet fleet" in one
        for one in json.loads(cli("status", "--json").out)["problems"]
    )


def _findings(host: AlertBase) -> list[str]:
    assert host.session is not None
    found = problems_of(host.base, host.session.connection)
    return [one for one in found if "fleet" in one]
