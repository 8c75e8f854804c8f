"""What people see of forwarding: status, metrics, doctor, an agent's own stats."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from indexer.database.freshness import index_once
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.cli import Cli
from tests.support.database import event, lines_of, rows
from tests.support.forward import a_run, delivered, record, rejected, start_targets

_URL = "http://user:passw0rd@127.0.0.1:1/runs?key=s3cret"


@pytest.fixture
def cli(base: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("METRICS_API_URL", _URL)
    return Cli(base, capsys)


def _log(base: Path) -> None:
    start_targets(base / "raw", "api")
    history = [
        *a_run("sent"),
        *a_run("dead", 10),
        *a_run("waits", 20),
        *a_run("late", 30),
        delivered(40, "sent", 2),
        rejected(41, "dead", 2),
        delivered(42, "late", 2),
        event(43, "run.updated", "late", items_failed=1),
    ]
    (base / "raw" / "events_20260101.ndjson").write_bytes(lines_of(history))


def _api(found: dict[str, Any]) -> dict[str, Any]:
    (target,) = found["forwarding"]["targets"]
    return target


def test_status_shows_what_waits_and_what_is_dead(base: Path, cli: Cli) -> None:
    """In words, in JSON and as metrics; a dead letter makes it degraded; no secret is shown."""
    _log(base)
    ran = cli("status", "--json")
    assert ran.code == 3
    target = _api(ran.json)
    assert (target["waiting"], target["dead"], target["state"]) == (2, 1, "open")
    assert target["oldest_waiting"] == "2026-01-01T00:00:00.000021Z"
    assert target["address"] == "http://127.0.0.1:1/runs"
    assert ran.json["backlog"]["api_posts"] == 2
    assert "api rejected 1 run: see `telemetry forward dead`" in ran.json["problems"]
    text = cli("status").out
    assert "api is open, 2 runs waiting" in text
    metrics = cli("status", "--prometheus").out
    assert 'telemetry_forward_waiting{target="api"} 2.0' in metrics
    assert 'telemetry_forward_dead{target="api"} 1.0' in metrics
    for shown in (ran.out, text, metrics, cli("forward", "status").out):
        assert "s3cret" not in shown
        assert "passw0rd" not in shown


def test_what_waits_for_a_target_that_is_gone_is_shown(
    base: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name, as unknown here: another process may be configured to send it."""
    _log(base)
    cli("index")
    monkeypatch.delenv("METRICS_API_URL")
    target = _api(cli("status", "--json").json)
    assert (target["name"], target["state"], target["waiting"]) == ("api", "unknown", 2)


def test_an_agent_is_told_how_many_of_the_runs_wait(base: Path, cli: Cli) -> None:
    """Once somebody has queued them; none where nothing is configured."""
    record(base, 3)
    client = TelemetryClient(TelemetryConfig.for_base(base))
    index_once(Base(TelemetryConfig.for_base(base)))
    assert client.get_stats()["pending_api_posts"] == 0
    cli("index")
    assert client.get_stats()["pending_api_posts"] == 3


def test_the_api_columns_speak_of_the_target_api_alone(base: Path) -> None:
    """What another target got or refused changes nothing there."""
    (base / "raw").mkdir(parents=True)
    history = [*a_run("r"), delivered(5, "r", 2, "other"), rejected(6, "r", 2, "other")]
    log = base / "raw" / "events_20260101.ndjson"
    log.write_bytes(lines_of(history))
    columns = "SELECT api_posted, api_posted_at, api_retry_count FROM agent_runs"
    config = TelemetryConfig.for_base(base)
    assert rows(config, columns) == [(0, None, 0)]
    log.write_bytes(lines_of([*history, rejected(7, "r", 2), delivered(8, "r", 2)]))
    assert rows(config, columns) == [(1, "2026-01-01T00:00:00.000008Z", 1)]


def _findings(cli: Cli) -> list[tuple[str, str]]:
    found = cli("doctor", "--json").json["findings"]
    return [(one["state"], one["what"]) for one in found if one["topic"] == "forwarding"]


@pytest.mark.needs("modes")
def test_doctor_looks_at_targets_and_at_who_can_read_their_tokens(
    base: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nonsense, a proxy that is none, a file that others can read; nothing where all is well."""
    ((state, what),) = _findings(cli)
    assert (state, what) == ("ok", "runs go to api, of kind http, at http://127.0.0.1:1/runs")
    (base / "config").mkdir(parents=True)
    file = base / "config" / "telemetry.toml"
    file.write_text('[targets.x]\nurl = "https://x"\ntoken = "s3cret"\n[targets.y]\n')
    os.chmod(file, 0o644)
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://x")
    states = _findings(cli)
    assert [state for state, _ in states] == ["warning"] * 4
    text = str(states)
    assert "target y: a target of kind http needs url" in text
    assert "nothing can be sent to x: no HTTP client can be made" in text
    assert "others can read it" in text
    assert "s3cret" not in text
    monkeypatch.delenv("METRICS_API_URL")
    file.unlink()
    assert _findings(cli) == [("ok", "no target is configured: nothing is forwarded")]


def test_commands_say_what_is_missing(base: Path, cli: Cli, monkeypatch: Any) -> None:
    """A target that is not there, options in the wrong place, nothing configured."""
    record(base)
    assert "no target nobody is configured" in cli("forward", "test", "nobody").err
    assert cli("forward", "dead", "nobody").code == 1
    assert cli("forward", "--json", "status").code == 2
    monkeypatch.delenv("METRICS_API_URL")
    for command in (["forward"], ["forward", "--json"], ["forward", "status"]):
        ran = cli(*command)
        assert (ran.code, ran.err.count("no target is configured")) == (0, 1)


def test_a_filter_that_matches_no_status_is_reported(base: Path, cli: Cli) -> None:
    """With the nearest one, by status and by doctor; a status that an agent uses is fine."""
    start_targets(base / "raw", "api")
    log = base / "raw" / "events_20260101.ndjson"
    log.write_bytes(lines_of(a_run("r", status="skipped-by-us")))
    (base / "config").mkdir()
    (base / "config" / "telemetry.toml").write_text(
        '[targets.api]\nstatuses = ["fail", "error", "skipped-by-us"]\n'
    )
    ran = cli("status", "--json")
    assert ran.code == 3
    (problem,) = ran.json["problems"]
    assert problem == "target api: its filter has 'fail', a status of no run; did you mean failed?"
    assert ("warning", problem) in _findings(cli)
    assert problem in cli("forward", "status").err


@pytest.mark.parametrize("variable", ["METRICS_API_URL", "METRICS_API_TOKEN"])
def test_a_carriage_return_of_a_windows_file_is_reported(
    base: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """In the URL or the token, by status and by doctor, without showing either."""
    monkeypatch.setenv("METRICS_API_TOKEN", "s3cret")
    monkeypatch.setenv(variable, f"{os.environ[variable]}\r")
    record(base)
    (problem,) = cli("status", "--json").json["forwarding"]["problems"]
    assert "whitespace (a carriage return, if it comes from a Windows file): remove it" in problem
    assert ("warning", problem) in _findings(cli)
    assert "s3cret" not in problem


def test_a_start_in_the_future_is_reported(base: Path, cli: Cli) -> None:
    """The clock was ahead when the target was first seen: it would get nothing until then."""
    (base / "raw").mkdir(parents=True)
    late = event(1, "forward.started", "telemetry.forward", target="api")
    late = late._replace(time="2099-01-01T00:00:00.000000Z")
    (base / "raw" / "events_20260101.ndjson").write_bytes(lines_of([late, *a_run("r")]))
    (problem,) = cli("status", "--json").json["forwarding"]["problems"]
    assert "target api starts in the future" in problem
    assert cli("forward", "backfill", "api", "--since", "2025-06-01").code == 0
    found = cli("status", "--json").json["forwarding"]
    assert (found["problems"], found["targets"][0]["waiting"]) == ([], 1)
