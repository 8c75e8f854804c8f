"""`runs`, `stats` and `tail` choose runs by the same options, and say what matches nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from indexer.cli.commands.runs import _as_tree
from tests.support.cli import Cli
from tests.support.database import event, lines_of
from tests.support.process import environment


@pytest.fixture
def cli(base, capsys):
    """The command line on `base`."""
    return Cli(base, capsys)


@pytest.fixture
def family(client) -> dict[str, str]:
    """Two roots, one with three nested runs; their ids by name."""
    ids = {}
    with client.track_run("crawler", "daily") as root:
        ids["root"] = root.run_id
        for number in range(3):
            with client.track_run("worker", "section") as nested:
                ids[f"nested-{number}"] = nested.run_id
    with client.track_run("reporter", "weekly") as other:
        other.end("partial")
        ids["other"] = other.run_id
    return ids


@pytest.fixture
def killed(client, base) -> str:
    """The id of a run whose process was killed."""
    code = (
        "import os, sys; from pathlib import Path\n"
        "from telemetry_core import TelemetryClient, TelemetryConfig\n"
        "client = TelemetryClient(TelemetryConfig.for_base(Path(sys.argv[1])))\n"
        "print(client.start_run('doomed', 'daily'), flush=True); os._exit(9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(base)], capture_output=True, text=True, env=environment()
    )
    return done.stdout.strip()


def names(ran, ids):
    known = {run_id: name for name, run_id in ids.items()}
    return [known[line.split()[0]] for line in ran.out.splitlines()[1:]]


def test_nested_runs_are_counted_rather_than_listed(cli, family):
    """They do not push other runs out of the list; --nested lists them below their parent."""
    ran = cli("runs", "-n", "2")
    assert names(ran, family) == ["other", "root"]
    header, _, root = ran.out.splitlines()
    assert root[header.index("NESTED") :].split()[0] == "3"
    nested = ["other", "root", "nested-0", "nested-1", "nested-2"]
    ran = cli("runs", "--nested")
    assert names(ran, family) == nested
    assert ran.out.splitlines()[3].split(None, 1)[1] != ran.out.splitlines()[3]
    assert "    worker" in ran.out.splitlines()[3]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--roots"], ["other", "root"]),
        (["--job", "weekly"], ["other"]),
        (["--parent", "root"], ["nested-2", "nested-1", "nested-0"]),
        (["--agent", "worker", "-n", "1"], ["nested-2"]),
        (["--until", "2020-01-01"], []),
        (["--status", "partial"], ["other"]),
    ],
)
def test_every_filter_leaves_what_it_names(options, expected, cli, family):
    """By root, job type, parent, start and status; tables and JSON agree."""
    options = [family.get(option, option) for option in options]
    assert names(cli("runs", *options), family) == expected
    found = [run["run_id"] for run in cli("runs", *options, "--json").json]
    assert found == [family[name] for name in expected]


def test_a_list_that_leaves_runs_out_says_how_many_there_are(cli, family):
    """`1 of 2 runs`, with the number of those nested in them."""
    assert cli("runs", "-n", "1").err == "1 of 2 runs, and 3 nested in them\n"
    assert cli("runs").err == ""


def test_runs_that_are_each_others_parents_are_listed():
    """A cycle, as a broken writer makes it, has no first run, and hides none."""
    runs = [
        {"run_id": "a", "parent_run_id": "b"},
        {"run_id": "b", "parent_run_id": "a"},
        {"run_id": "c", "parent_run_id": "c"},
    ]
    assert sorted(run["run_id"] for run in _as_tree(runs)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--status", "faild"], "no status 'faild', did you mean 'failed'?"),
        (["--status", "Stale"], "no status 'Stale', did you mean 'stale'?"),
        (["--agent", "crawlr"], "no agent 'crawlr', did you mean 'crawler'?"),
        (["--job", "weakly"], "no job 'weakly', did you mean 'weekly'?"),
        (["--agent", "zzz"], "no agent 'zzz'"),
    ],
)
@pytest.mark.parametrize("command", ["runs", "stats", "tail"])
def test_a_value_that_matches_nothing_is_named_with_the_nearest(
    command, options, sentence, cli, family
):
    """On stderr; stdout has nothing, or JSON of nothing."""
    ran = cli(command, *options)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == f"no runs match: {sentence}\n"


def test_a_known_status_that_no_run_has_is_no_mistake(cli, family):
    """It is only said that no run matches."""
    assert cli("runs", "--status", "timeout").err == "no runs match\n"


def test_stale_is_a_status_that_people_see_and_filter_by(cli, family, killed):
    """A run whose process is gone is no longer shown, counted or found as running."""
    assert [run["run_id"] for run in cli("runs", "--status", "stale", "--json").json] == [killed]
    assert cli("runs", "--status", "running", "--json").json == []
    assert "stale" in cli("runs", "--status", "stale").out.splitlines()[1].split()
    assert "status           stale" in cli("show", killed).out
    stats = cli("stats", "--json").json
    assert (stats["running"], stats["stale"]) == (0, 1)
    doomed = next(agent for agent in stats["by_agent"] if agent["agent_name"] == "doomed")
    assert doomed["success_rate"] == 0.0
    assert cli("status", "--json").json["runs"] == {"partial": 1, "stale": 1, "success": 4}
    query = "SELECT stale, running, success_rate FROM runs_by_agent WHERE agent_name = 'doomed'"
    assert cli("sql", "--json", query).json == [{"stale": 1, "running": 0, "success_rate": 0.0}]


def test_the_columns_of_stats_add_up(cli, client, killed):
    """Each run is in one column, and the footer has the same numbers as the table."""
    for status in ("success", "partial", "failed", "timeout", "cancelled", "odd", "running"):
        run_id = client.start_run("agent", "job")
        if status != "running":
            client.end_run(run_id, status)
    stats = cli("stats", "--json").json
    outcomes = ("succeeded", "partial", "failed", "cancelled", "running", "stale", "other")
    for counted in (stats, *stats["by_agent"]):
        assert sum(counted[name] for name in outcomes) == counted["runs"]
    assert stats["failed"] == 2
    footer = cli("stats").out.splitlines()[-2]
    assert footer == (
        "8 root runs: 1 succeeded, 1 partial, 2 failed, 1 cancelled, 1 running, 1 stale, 1 other"
    )


def test_stats_count_root_runs_and_say_so(cli, family):
    """Nested runs are counted on request."""
    text = cli("stats").out
    assert "2 root runs: 1 succeeded, 1 partial\n" in text
    assert "3 nested runs are not counted: --nested counts all\n" in text
    assert cli("stats", "--nested", "--json").json["runs"] == 5
    assert cli("stats", "--parent", family["root"], "--json").json["runs"] == 3
    assert cli("stats", "--job", "weekly", "--json").json["runs"] == 1


def test_tail_shows_the_events_of_the_runs_that_are_meant(cli, family):
    """By the same options as runs."""
    events = [
        json.loads(line) for line in cli("tail", "--job", "weekly", "--json").out.splitlines()
    ]
    assert {event["run_id"] for event in events} == {family["other"]}
    events = [json.loads(line) for line in cli("tail", "--roots", "--json").out.splitlines()]
    assert {event["run_id"] for event in events} == {family["other"], family["root"]}


def test_help_and_version_in_the_spellings_that_people_try(cli, capsys):
    """`telemetry help`, `telemetry help runs` and `-V`."""
    assert cli("help").out.startswith("Usage: telemetry [OPTIONS]")
    assert cli("help", "runs").out.startswith("Usage: telemetry runs [OPTIONS]")
    assert cli("-V").out == cli("--version").out != ""


def test_what_the_indexer_writes_does_not_count_as_the_agents(cli, base, client):
    """Receipts of deliveries, and events about targets, are no events of a run and no run."""
    run_id = client.start_run("agent", "job")
    client.end_run(run_id)
    before = cli("stats", "--json").json
    assert (before["runs"], before["events"]) == (1, 2)
    lines = [
        event(1, "run.delivered", run_id, target="api", revision=1),
        event(2, "run.delivery_failed", run_id, target="api", revision=1),
        event(3, "forward.retried", "telemetry.forward", target="api"),
    ]
    (base / "raw" / "events_20260101.ndjson").write_bytes(lines_of(lines))
    assert cli("stats", "--json").json == before
    report = cli("report", "--json", "--since", "2020-01-01").json
    assert (report["totals"]["runs"], report["totals"]["events"]) == (1, 2)
    assert [run["event_count"] for run in cli("runs", "--json").json] == [2]
