"""`telemetry start`, `log`, `set` and `end`: a run recorded line by line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from indexer.cli.shell.entry import run_light
from tests.support.cli import Cli, in_process
from tests.support.process import environment


@pytest.fixture
def cli(base, capsys):
    """The command line on `base`."""
    return Cli(base, capsys)


@pytest.fixture
def light(base, capsys, monkeypatch):
    """The same commands by the quick way in."""

    def call(*words: str) -> str:
        assert run_light(["--base", str(base), *words]) == 0
        return capsys.readouterr().out.strip()

    return call


def test_a_script_records_a_run(light, cli):
    """Start, events, fields, end: one row with all of it."""
    run = light("start", "backup", "nightly", "items_discovered=3", "product=1.10")
    light("log", run, "copied", '{"files": 12}')
    light("log", run, "note", "half way")
    light("set", run, "items_succeeded=2", "speed=1.5")
    light("end", run, "--status", "partial", "items_failed=1")
    shown = cli("show", run, "--json").json
    row = shown["run"]
    assert (row["agent_name"], row["job_type"], row["status"]) == ("backup", "nightly", "partial")
    assert (row["items_discovered"], row["items_succeeded"], row["items_failed"]) == (3, 2, 1)
    assert row["product"] == "1.10"
    payloads = [one["payload_json"] for one in shown["events"] if one["type"] == "run.event"]
    assert payloads == [{"files": 12}, "half way"]


def test_a_run_of_a_script_does_not_seem_to_have_lost_its_process(light, cli):
    """The command that started it has ended, and says nothing of the script."""
    run = light("start", "a", "b")
    assert cli("show", run, "--json").json["run"]["status"] == "running"
    assert cli("sql", "--json", "SELECT * FROM stale_runs").json == []


def test_a_run_left_behind_is_closed_with_a_note(light, cli):
    """The note is an event that tells who said it, and the reason of the failure."""
    run = light("start", "a", "b")
    light("end", run, "--status", "failed", "--note", "the host was rebooted")
    shown = cli("show", run, "--json").json
    assert shown["run"]["status"] == "failed"
    assert shown["run"]["error_summary"] == "the host was rebooted"
    (note,) = [one for one in shown["events"] if one["event_type"] == "note"]
    assert note["payload_json"]["text"] == "the host was rebooted"
    assert "@" in note["payload_json"]["by"]


def test_a_run_is_meant_by_the_short_id_that_a_terminal_shows(light, cli):
    """`end`, `set` and `log` find it; an id that no run ends in is a run of its own."""
    run = light("start", "a", "b")
    cli("runs")
    light("log", run[-8:], "e")
    light("set", run[-8:], "items_succeeded=2")
    light("end", run[-8:], "--status", "failed", "--note", "left behind")
    light("start", "a", "b", "run_id=20261126")
    light("end", "20261126")
    rows = {row["run_id"]: row for row in cli("runs", "--json").json}
    assert rows.keys() == {run, "20261126"}
    assert (rows[run]["status"], rows[run]["items_succeeded"]) == ("failed", 2)
    assert rows["20261126"]["status"] == "success"


def test_events_come_from_stdin(base, cli):
    """One value; one on each line; a text that is neither."""
    for text in ('{"a":\n1}', '{"b":2}\n\n{"b":3}\n', "just text"):
        subprocess.run(
            [sys.executable, "-m", "indexer", "--base", str(base), "log", "r", "e", "-"],
            input=text.encode(),
            check=True,
            env=environment(),
            timeout=60,
        )
    shown = cli("show", "r", "--json").json["events"]
    assert [one["payload_json"] for one in shown] == [{"a": 1}, {"b": 2}, {"b": 3}, "just text"]


def test_what_is_wrong_is_said(base):
    """A field that is none is a usage error; a base that can't be written to is a failure."""
    assert in_process(base, "set", "r", "novalue").code == 2
    assert in_process(base, "start", "a").code == 2
    assert in_process(base, "end", "--help").code == 0
    base.write_text("no directory")
    ran = in_process(base, "log", "r", "e")
    assert (ran.code, "not recorded" in ran.err) == (1, True)
