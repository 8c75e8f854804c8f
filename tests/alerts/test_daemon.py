"""The daemon evaluates and sends by itself, and so does `telemetry alerts check` without one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from telemetry_core import TelemetryClient
from tests.support.alerts import rule
from tests.support.cli import Cli
from tests.support.daemon import eventually, running_daemon, start_daemon

_WRITE = (
    "import sys, pathlib; f = open(sys.argv[1], 'ab'); f.write(sys.stdin.buffer.read() + b'\\n')"
)


@pytest.fixture
def cli(base: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line on `base`."""
    return Cli(base, capsys)


def _started(base: Path) -> bool:
    return any(b"alert.started" in file.read_bytes() for file in (base / "raw").glob("*.ndjson"))


def _configure(base: Path, out: Path, *rules: str) -> None:
    command = json.dumps([sys.executable, "-c", _WRITE, str(out)])
    channel = f'[channels.hook]\nkind = "command"\ncommand = {command}\n'
    (base / "config").mkdir(parents=True, exist_ok=True)
    (base / "config" / "telemetry.toml").write_text(channel + "".join(rules))


def _sent(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def _by_key(out: Path) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in _sent(out)}


def _fail(client: TelemetryClient) -> str:
    with pytest.raises(ValueError, match="no"), client.track_run("cron", "nightly") as run:
        raise ValueError("no")
    return run.run_id


def test_a_failure_reaches_the_channel_while_the_daemon_runs(
    base: Path, client: TelemetryClient, tmp_path: Path
) -> None:
    """Also after it was killed; before its receipt was written, the same key may come again."""
    out = tmp_path / "out"
    _configure(base, out, rule("failures", "failed"))
    runs = []
    for _ in range(2):
        daemon = start_daemon(base, 0.2)
        try:
            eventually(lambda: _started(base))
            runs.append(_fail(client))
            eventually(lambda: len(_by_key(out)) == len(runs))
        finally:
            daemon.kill()
            daemon.communicate()
    assert [one["alerts"][0]["run_id"] for one in _by_key(out).values()] == runs


def test_check_evaluates_and_sends_without_a_daemon(
    base: Path, client: TelemetryClient, tmp_path: Path, cli: Cli
) -> None:
    """Twice gives one message; the state and the history say what was sent."""
    out = tmp_path / "out"
    _configure(base, out, rule("failures", "failed"), rule("streak", "failed", in_a_row=1))
    assert cli("alerts", "check").code == 0
    run_id = _fail(client)
    assert cli("alerts", "check").code == 3
    assert cli("alerts", "check").code == 3
    assert [one["rule"] for one in _sent(out)] == ["failures", "streak"]
    shown = cli("alerts", "--json").json
    assert [(one["name"], one["state"]) for one in shown["rules"]] == [
        ("failures", "ok"),
        ("streak", "firing"),
    ]
    history = cli("alerts", "history", "failures", "--json").json
    assert [(one["change"], one["channels"]) for one in history] == [
        ("fired", {"hook": "delivered"})
    ]
    assert history[0]["alerts"][0]["run_id"] == run_id


def test_who_evaluates_the_rules_is_said(base: Path, tmp_path: Path, cli: Cli) -> None:
    """Without a daemon nothing does so by itself, however well the rules look."""
    _configure(base, tmp_path / "out", rule("failures", "failed"))
    assert "no daemon is running: only `telemetry alerts check`" in cli("alerts").err
    with running_daemon(base):
        eventually(lambda: cli("alerts", "--json").json["evaluation"]["daemon"])
        assert "the daemon evaluates the rules every 5 seconds" in cli("alerts").err
    assert "a daemon last did so" in cli("alerts").err
    assert cli("alerts", "--json").json["evaluation"]["last_seen"]


def test_a_silence_shows_and_ends(base: Path, tmp_path: Path, cli: Cli) -> None:
    """Of one rule; a rule that is not there is an error."""
    _configure(base, tmp_path / "out", rule("a", "failed"), rule("b", "failed"))
    cli("alerts", "check")

    def states() -> list[str]:
        return [one["state"] for one in cli("alerts", "--json").json["rules"]]

    assert cli("alerts", "silence", "b", "--for", "1h").code == 0
    assert states() == ["ok", "silenced"]
    assert cli("alerts", "silence", "b", "--end").code == 0
    assert states() == ["ok", "ok"]
    assert cli("alerts", "silence", "c").code == 1


def test_a_rule_that_makes_no_sense_is_a_finding(base: Path, tmp_path: Path, cli: Cli) -> None:
    """Of status and of doctor, with what to do; the other rule works."""
    wrong = '[[alerts]]\nname = "wrong"\nkind = "mised"\nchannels = ["hook"]\n'
    nobody = rule("nobody", "failed").replace('"hook"', '"hok"')
    _configure(base, tmp_path / "out", wrong, nobody, rule("good", "failed"))
    status = cli("status")
    assert status.code == 3
    assert "alert wrong: kind is 'mised'" in status.out + status.err
    assert "its channel 'hok' is not configured" in status.out + status.err
    doctor = cli("doctor")
    assert "alert wrong: kind is 'mised'" in doctor.out
    shown = cli("alerts", "--json").json
    assert [one["name"] for one in shown["rules"]] == ["nobody", "good"]


def test_a_channel_is_tested(base: Path, tmp_path: Path, cli: Cli) -> None:
    """By its name or by that of a rule; exit 1 if it does not work."""
    out = tmp_path / "out"
    _configure(base, out, rule("failures", "failed"))
    assert cli("alerts", "test", "hook").code == 0
    assert cli("alerts", "test", "failures").code == 0
    assert [one["kind"] for one in _sent(out)] == ["test", "test"]
    assert cli("alerts", "test", "nothing").code == 1
