"""Arguments: keys of the agent's own that collide, and calls that are wrong."""

from __future__ import annotations

import enum

import pytest

from telemetry_core import TelemetryClient, notices


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    """Every test hears what is said once."""
    monkeypatch.setattr(notices, "_said", set())


class Status(enum.Enum):
    FAILED = "failed"


class Agent(enum.Enum):
    CRAWLER = "crawler"


ROW = {"run_id": "theirs", "self": 1, "client": 2, "items_succeeded": 5, "loss": 0.25, "fields": 3}


def test_an_agents_keys_never_collide_with_ours(client, log):
    """In fields of every method, whatever they are called; the run is ours."""
    with client.track_run("a", "j", **{k: v for k, v in ROW.items() if k != "run_id"}) as run:
        run.set_metrics(**ROW)
        run.add(**{**ROW, "run_id": 1})
        run.log_metrics(**{**ROW, "run_id": 1, "metrics": 2})
    run_id = client.start_run("a", "j", **{k: v for k, v in ROW.items() if k != "run_id"})
    client.set_metrics(run_id, **ROW)
    client.end_run(run_id, **{**ROW, "status": "failed"})
    with client.track_run("a", "j") as other:
        other.end(**ROW)
    assert client.get_stats()["client_errors"] == 0
    for one, status in ((run.run_id, "success"), (run_id, "failed"), (other.run_id, "success")):
        fields = log.run(one)
        assert fields["status"] == status
        assert {name: fields[name] for name in ROW} == ROW
    assert {event.run_id for event in log.events()} == {run.run_id, run_id, other.run_id}


def test_a_run_may_be_named_by_keyword(client, log):
    """As code does that was written before the field was the agent's own."""
    run_id = client.start_run("a", "j")
    client.set_metrics(run_id=run_id, items_failed=1)
    client.end_run(run_id=run_id, status="partial")
    assert log.run(run_id)["status"] == "partial"
    assert {event.run_id for event in log.events()} == {run_id}


def test_wrong_arguments_are_counted_and_reported_once_and_the_run_goes_on(client, log, caplog):
    """Never raised; what was meant is recorded as far as it can be understood."""
    with client.track_run("a") as run:
        for _ in range(2):
            run.log_event("x", a=1)
            run.set_metrics({"items_failed": 3})
            run.log_event()
            run.alert()
        client.log_event(run.run_id, "y", 1, 2)
        client.set_metrics()
    with client.track_run() as nameless:
        pass
    assert client.start_run("only a name")
    assert client.start_run("a", "j", "cli", "one too many")

    @client.tracked("a")
    def work():
        return 7

    assert work() == 7
    assert client.get_stats()["client_errors"] >= 12
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(set(said))
    assert sum("log_event() got an unexpected keyword" in text for text in said) == 1
    fields = log.run(run.run_id)
    assert (fields["agent_name"], fields["job_type"], fields["status"]) == (
        "a",
        "unknown",
        "success",
    )
    assert fields["items_failed"] == 3
    assert log.run(nameless.run_id)["agent_name"] == "unknown"
    payloads = [e.data["payload"] for e in log.events() if e.type == "run.event"]
    assert {"a": 1} in payloads
    assert {"payload": 1, "arguments": [2]} in payloads


@pytest.mark.parametrize("make", [str, lambda path: path], ids=["text", "path"])
def test_a_path_is_a_base_directory(tmp_path, monkeypatch, make):
    """Log and database are inside of it, whatever the environment says."""
    monkeypatch.setenv("TELEMETRY_NDJSON_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("TELEMETRY_DB_PATH", str(tmp_path / "elsewhere.sqlite"))
    monkeypatch.setenv("TELEMETRY_GIT", "false")
    config = TelemetryClient(make(tmp_path / "base")).config
    assert config.ndjson_dir == tmp_path / "base/raw"
    assert config.database_path == tmp_path / "base/db/telemetry.sqlite"
    assert config.git is False


@pytest.mark.parametrize("given", [7, {"base": "x"}, object(), b"", ""])
def test_what_is_no_configuration_is_counted_and_the_environment_used(tmp_path, monkeypatch, given):
    """By position or by a name that there is not."""
    monkeypatch.setenv("TELEMETRY_BASE_DIR", str(tmp_path))
    client = TelemetryClient(given)
    assert client.config.metrics_dir == tmp_path
    assert client.get_stats()["client_errors"] == 1
    named = TelemetryClient(base_dir="x")
    assert named.get_stats()["client_errors"] == 1
    assert "base_dir" in named.get_stats()["last_client_error"]
    assert TelemetryClient(config=client.config).get_stats()["client_errors"] == 0


def test_enums_count_by_their_values(client, log):
    """As statuses, agents and job types."""
    run_id = client.start_run(Agent.CRAWLER, "j")
    client.end_run(run_id, status=Status.FAILED)
    assert "-crawler-" in run_id
    assert log.run(run_id)["status"] == "failed"
    assert log.run(run_id)["agent_name"] == "crawler"


def test_a_misspelled_field_or_status_is_reported_once(client, capsys):
    """On stderr, in tests and at a terminal; what is merely unknown is the agent's own."""
    with client.track_run("a", "j") as run:
        for _ in range(2):
            run.set_metrics(item_succeeded=1, loss=0.5, temperature=1)
            run.set_metrics(status="faild")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 2
    assert "did you mean 'items_succeeded'?" in said.err
    assert "did you mean 'failed'?" in said.err


def test_nobody_is_told_where_nobody_reads(client, capsys, monkeypatch):
    """A cron job's mail is not for spelling."""
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    client.end_run(client.start_run("a", "j"), status="faild")
    assert capsys.readouterr().err == ""


def test_clients_and_runs_are_worth_seeing(client):
    """What a notebook shows: where, which, and how it is going."""
    assert repr(str(client.config.metrics_dir)) in repr(client)
    run = client.track_run("crawler", "nightly")
    assert "not started" in repr(run)
    with run:
        assert "running" in repr(run)
        assert run.run_id in repr(run)
        with run.span("parse") as step:
            assert "'parse'" in repr(step)
            assert "open" in repr(step)
        assert "ended" in repr(step)
    assert "ended" in repr(run)
    assert "crawler" in repr(run)
