"""The commands that read say what the view has, to people and to programs."""

from __future__ import annotations

import csv
import io
import json
import random
import sys
from pathlib import Path

import pytest

from indexer.cli.commands import show
from telemetry_core.run_fields import RUN_FIELD_NAMES
from tests.support.cli import Cli, at_terminal, in_process
from tests.support.database import event, lines_of


@pytest.fixture
def cli(base, capsys):
    """The command line on `base`."""
    return Cli(base, capsys)


@pytest.fixture
def recorded(client) -> dict[str, str]:
    """Runs of every kind; their ids by what they are."""
    with client.track_run("crawler", "daily", items_discovered=1500) as good:
        good.log_event("page.fetched", {"url": "http://example.org/ü"})
        good.set_metrics(items_succeeded=1400, items_failed=100, metrics_json={"depth": 3})
        with client.track_run("crawler", "section", item_name="news") as child:
            pass
    with (
        pytest.raises(ValueError, match="no such page"),
        client.track_run("reporter", "weekly") as bad,
    ):
        raise ValueError("no such page \x1b[31m")
    open_run = client.start_run("crawler", "daily", run_id="my-own-id")
    return {"good": good.run_id, "child": child.run_id, "bad": bad.run_id, "open": open_run}


def test_runs_lists_the_newest_first(cli, recorded):
    """A plain table, one run a line, nothing cut, no control characters."""
    ran = cli("runs")
    header, *lines = ran.out.splitlines()
    assert header.split() == [
        "RUN",
        "AGENT",
        "JOB",
        "STATUS",
        "STARTED",
        "TOOK",
        "DONE",
        "FAILED",
        "NESTED",
        "NOTE",
    ]
    order = [recorded[name] for name in ("open", "bad", "good")]
    assert [line.split()[0] for line in lines] == order
    assert "ValueError: no such page \\x1b[31m" in lines[1]
    assert "1,400/1,500     100       1" in lines[2]
    assert all(line.isprintable() for line in ran.out.splitlines())


def test_runs_as_json_has_all_fields(cli, recorded):
    """Keys are the columns of agent_runs, and JSON columns are values."""
    runs = {run["run_id"]: run for run in cli("runs", "--json").json}
    assert set(runs) == set(recorded.values())
    good = runs[recorded["good"]]
    assert good.keys() >= RUN_FIELD_NAMES | {"run_id", "stale", "event_count"}
    assert good["metrics_json"] == {"depth": 3}
    assert good["start_time"].endswith("Z")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--agent", "reporter"], {"bad"}),
        (["--status", "failed"], {"bad"}),
        (["--status", "failure"], {"bad"}),
        (["--status", "success", "--agent", "crawler"], {"good", "child"}),
        (["--since", "1h"], {"good", "child", "bad", "open"}),
        (["--since", "2 h"], {"good", "child", "bad", "open"}),
        (["--since", "0.5d"], {"good", "child", "bad", "open"}),
        (["--since", "2020-01-01"], {"good", "child", "bad", "open"}),
        (["--since", "2020-01-01T00:00:00Z"], {"good", "child", "bad", "open"}),
        (["--since", "yesterday"], {"good", "child", "bad", "open"}),
        (["--since", "0s"], set()),
        (["--since", "2999-01-01 12:00"], set()),
        (["-n", "1"], {"open"}),
        (["--limit", "0"], {"good", "child", "bad", "open"}),
    ],
)
def test_runs_can_be_filtered(filters, expected, cli, recorded):
    """Each filter, and several at once, leave what they should."""
    found = {run["run_id"] for run in cli("runs", "--json", *filters).json}
    assert found == {recorded[name] for name in expected}


def test_no_such_runs_is_said_on_stderr(cli, recorded):
    """An empty answer is no error, and stdout stays empty."""
    ran = cli("runs", "--agent", "nobody")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "no runs match: no agent 'nobody'\n"


@pytest.mark.parametrize("how", ["whole", "beginning", "end"])
def test_show_finds_a_run_by_any_unambiguous_part(how, cli, recorded):
    """An id, its beginning and its end all name the run."""
    run_id = recorded["bad"]
    part = {"whole": run_id, "beginning": run_id[:-4], "end": run_id[-8:]}[how]
    assert cli("show", part, "--json").json["run"]["run_id"] == run_id


def test_show_latest_is_the_newest(cli, recorded):
    """`latest` saves a look at the list."""
    assert cli("show", "latest", "--json").json["run"]["run_id"] == "my-own-id"


def test_show_names_the_candidates_of_an_ambiguous_part(cli, recorded):
    """What could be meant is listed rather than guessed."""
    ran = cli("show", recorded["good"][:4])
    assert ran.code == 1
    assert recorded["good"] in ran.err
    assert recorded["bad"] in ran.err


def test_show_has_fields_children_and_events(cli, recorded):
    """All that is known of a run, for people and for programs."""
    shown = cli("show", recorded["good"], "--json").json
    assert [child["run_id"] for child in shown["children"]] == [recorded["child"]]
    assert [event["type"] for event in shown["events"]] == [
        "run.started",
        "run.event",
        "run.updated",
        "run.ended",
    ]
    assert shown["events"][1]["payload_json"] == {"url": "http://example.org/ü"}
    text = cli("show", recorded["good"]).out
    assert "metrics_json" in text
    assert "Nested runs (1)" in text
    assert "page.fetched" in text


def test_show_limits_events(cli, client):
    """People see the last events and read how many others there are; --events 0 shows all."""
    client.log_events("long", [("step", number) for number in range(80)])
    text = cli("show", "long").out
    assert "Last 50 of 80 events" in text
    assert len(cli("show", "long", "--events", "0").out.splitlines()) >= 80
    assert len(cli("show", "long", "--json").json["events"]) == 80
    assert len(cli("show", "long", "--json", "--events", "3").json["events"]) == 3


def test_show_prints_the_error_at_length(cli, recorded):
    """A traceback is readable, and harmless to a terminal."""
    text = cli("show", recorded["bad"]).out
    assert "Traceback (most recent call last)" in text
    assert "\x1b" not in text


def test_stats_counts_by_agent_and_status(cli, recorded):
    """Numbers come from the view that SQL users see."""
    stats = cli("stats", "--json", "--nested").json
    assert [stats[name] for name in ("runs", "succeeded", "failed", "running")] == [4, 2, 1, 1]
    assert [agent["agent_name"] for agent in stats["by_agent"]] == ["crawler", "reporter"]
    assert stats["by_agent"][0]["success_rate"] == 1.0
    text = cli("stats", "--nested").out
    row = ["crawler", "3", "2", "0", "0", "0", "1", "0", "0", "100%"]
    assert text.splitlines()[1].split()[:10] == row
    assert "4 runs: 2 succeeded, 1 failed, 1 running" in text


def test_sql_prints_csv_into_a_pipe(cli, recorded):
    """Not at a terminal, rows are csv that any program reads back."""
    out = cli("sql", "SELECT 1 AS a, NULL AS b, 'x,\"y\n' AS c, x'00ff' AS d").out
    assert list(csv.reader(io.StringIO(out))) == [["a", "b", "c", "d"], ["1", "", 'x,"y\n', "00ff"]]


def test_sql_csv_keeps_a_lone_carriage_return_in_its_cell(cli, recorded):
    """It is quoted, or readers would take it for the end of the row; NULL differs from empty."""
    out = cli(
        "sql", "--format", "csv", "SELECT 'a' || char(13) || 'b' AS c, NULL AS d, '' AS e"
    ).out
    assert list(csv.reader(io.StringIO(out, newline="")))[1] == ["a\rb", "", ""]
    assert out.endswith(',,""\n')


@pytest.mark.parametrize("rows", [0, 1, 500])
def test_sql_formats_agree(rows, cli, recorded):
    """json, ndjson, csv and table give the same rows, however many."""
    query = (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 500)"
        f" SELECT x, 'ü' || x AS name FROM n LIMIT {rows}"
    )
    expected = [{"x": number, "name": f"ü{number}"} for number in range(1, rows + 1)]
    assert (
        cli("sql", "--format", "json", query).json == cli("sql", "--json", query).json == expected
    )
    lines = cli("sql", "--format", "ndjson", query).out.splitlines()
    assert [json.loads(line) for line in lines] == expected
    assert len(cli("sql", "--format", "csv", query).out.splitlines()) == rows + 1
    assert len(cli("sql", "--format", "table", query).out.splitlines()) == rows + 1


def test_sql_reads_stdin(cli, recorded, monkeypatch):
    """`-` takes the query from a file or a pipe."""
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT count(*) AS n FROM agent_runs;\n"))
    assert cli("sql", "--json", "-").json == [{"n": 4}]


def test_sql_that_writes_is_refused(cli, recorded):
    """The command says no, in one line, and exits 1."""
    ran = cli("sql", "DELETE FROM agent_runs")
    assert (ran.code, ran.out) == (1, "")
    assert "DELETE is not allowed" in ran.err
    assert cli("sql", "--json", "SELECT count(*) AS n FROM agent_runs").json == [{"n": 4}]


def test_sql_has_a_time_limit(cli, recorded):
    """--timeout ends a query that would not end."""
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    ran = cli("sql", "--timeout", "0.2", endless)
    assert ran.code == 1
    assert "--timeout" in ran.err


def test_verify_agrees_with_a_fresh_view(cli, recorded):
    """Exit 0 and one line where all is well."""
    ran = cli("verify")
    assert ran.code == 0
    assert ran.out.startswith("ok: log and database agree (")
    assert cli("verify", "--json").json["ok"] is True


def test_verify_tells_differences(cli, recorded, base):
    """A row that the log does not know is found, with exit code 1."""
    import sqlite3

    cli("index")
    connection = sqlite3.connect(base / "db" / "telemetry.sqlite")
    connection.execute("UPDATE agent_runs SET status = 'success' WHERE status = 'failed'")
    connection.commit()
    connection.close()
    ran = cli("verify")
    assert ran.code == 1
    assert recorded["bad"] in ran.out
    assert "telemetry rebuild" in ran.err
    assert cli("verify", "--json").json["differences"]
    assert cli("rebuild").code == 0
    assert cli("verify").code == 0


def test_index_and_rebuild_sum_up_their_work(cli, recorded):
    """One line on stdout says what came of the lines."""
    assert cli("index").out.startswith("9 indexed, 0 duplicate, 0 quarantined (")
    assert cli("index").out == "0 indexed, 0 duplicate, 0 quarantined (0 B read)\n"
    assert cli("rebuild").out.startswith("rebuilt: 9 indexed, 0 duplicate, 0 quarantined (")


def test_every_reading_command_indexes_what_is_new(cli, client):
    """Nobody reads a stale view: what was recorded a moment ago is there."""
    for number in range(3):
        client.start_run("agent", "job")
        assert len(cli("runs", "--json").json) == number + 1
        assert cli("stats", "--json").json["runs"] == number + 1
        assert cli("status", "--json").json["runs"] == {"running": number + 1}
        assert (
            cli("sql", "--json", "SELECT count(*) AS n FROM agent_runs").json[0]["n"] == number + 1
        )


def test_output_in_another_encoding_does_not_fail(base, client):
    """A character that a terminal can't show is escaped."""
    client.start_run("agent-日本", "job")
    ran = in_process(base, "runs", PYTHONIOENCODING="latin-1:strict")
    assert ran.code == 0
    assert "agent-\\u65e5" in ran.out


def test_a_base_that_can_not_be_written_is_still_read(base, client, cli, monkeypatch):
    """Where the view can't be brought up to date, it is shown as it stands, with a warning."""
    client.start_run("agent", "job")
    cli("index")
    client.start_run("agent", "not indexed")

    def refuse(path: Path, *rest: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("indexer.database.freshness.index_once", refuse)
    ran = cli("runs", "--json")
    assert len(ran.json) == 1
    assert ran.err.startswith("warning: the database may be out of date")


def test_an_empty_run_id_is_nobodys(cli, recorded):
    """A variable that a script did not set finds no run, rather than some or all of them."""
    ran = cli("show", "")
    assert ran.code == 1
    assert "the run id is empty" in ran.err


def test_stats_are_those_of_the_view(cli, base):
    """What the command sums up by itself is what SQL says, whatever agents say of themselves."""
    rng = random.Random(5)
    lines = []
    for number in range(300):
        agent = rng.choice(["a", "b", "c", None, "only", "ü"])
        data = {"agent_name": agent if number else "once", "job_type": "j"}
        lines.append(event(number, "run.started", f"r{number}", **data))
        if agent == "only" or rng.random() < 0.2:
            continue
        ended = {
            "status": rng.choice(["success", "failed", "timeout", "odd", None]),
            "duration_ms": rng.choice([number, number / 3, "long", None]),
        }
        lines.append(event(1000 + number, "run.ended", f"r{number}", **ended))
    (base / "raw").mkdir(parents=True)
    (base / "raw" / "events_20260101.ndjson").write_bytes(lines_of(lines))
    found = cli("stats", "--json", "--nested").json["by_agent"]
    sql = "SELECT * FROM runs_by_agent ORDER BY runs DESC, agent_name"
    assert found == cli("sql", "--json", sql).json
    assert len(found) == 7


def test_show_streams_json_of_any_length(cli, client, monkeypatch):
    """Events are printed as they are read, and the whole is one JSON value."""
    client.log_events("big", [("step", {"number": number}) for number in range(500)])
    held = []
    original = show.event_value

    def watched(row):
        held.append(len(held))
        return original(row)

    monkeypatch.setattr(show, "event_value", watched)
    written_after = []
    monkeypatch.setattr(
        "sys.stdout.write",
        lambda text, write=sys.stdout.write: (written_after.append(len(held)), write(text))[1],
    )
    ran = cli("show", "big", "--json")
    assert [event["payload_json"]["number"] for event in ran.json["events"]] == list(range(500))
    # Between two events something was written: no list of all of them was made.
    assert len(set(written_after)) > 400
    assert cli("show", "big", "--json", "--events", "2").json["events"][1]["payload_json"] == {
        "number": 499
    }


def test_show_full_cuts_nothing(base, client):
    """At a terminal, --full shows values, payloads and events that are cut or left out without."""
    with client.track_run("agent", "job") as run:
        for _ in range(60):
            run.log_event("step", {"text": "x" * 900})
        run_id = run.run_id
    assert "x" * 300 not in at_terminal(base, "show", run_id).replace("\n", "")
    shown = at_terminal(base, "show", run_id, "--full").replace("\n", "")
    assert shown.count("x" * 900) == 60


def test_sql_reads_a_file_and_answers_dot_commands(cli, recorded, tmp_path):
    """`sql report.sql`, `.tables` and `.schema` do what people expect of them."""
    file = tmp_path / "report.sql"
    file.write_text("SELECT count(*) AS n FROM agent_runs;\n")
    assert cli("sql", "--json", str(file)).json == [{"n": 4}]
    assert {"type": "table", "name": "agent_runs"} in cli("sql", "--json", ".tables").json
    schema = cli("sql", "--json", ".schema").json
    assert {"agent_runs", "runs_by_agent"} <= {row["table"] for row in schema}
    ran = cli("sql", str(tmp_path / "missing.sql"))
    assert ran.code == 2
    assert "no such file" in ran.err
