"""`telemetry search`: events by a text in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from telemetry_core import TelemetryClient
from tests.support.cli import Cli


@pytest.fixture
def cli(base: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line on `base`."""
    return Cli(base, capsys)


def test_events_are_found_by_a_text_in_any_case(client: TelemetryClient, cli: Cli) -> None:
    """Also by their type, and of one run only; signs of patterns are letters."""
    with client.track_run("a", "j") as first:
        first.log_event("note", {"error": "Connection REFUSED by 10%_of peers"})
    with client.track_run("a", "j") as second:
        second.log_event("refused_by_peer", {"n": 1})
    assert [one["run_id"] for one in cli("search", "refused", "--json").json] == [
        second.run_id,
        first.run_id,
    ]
    assert len(cli("search", "refused", "--run", first.run_id, "--json").json) == 1
    assert len(cli("search", "10%_of", "--json").json) == 1
    assert cli("search", "1%f", "--json").json == []
    assert cli("search", "refused", "--limit", "1", "--json").json[0]["run_id"] == second.run_id
    assert "Connection REFUSED" in cli("search", "refused").out
    assert cli("search", "nowhere").code == 0


def test_an_empty_text_and_a_search_that_takes_too_long_say_so(
    client: TelemetryClient, cli: Cli
) -> None:
    """With what to do instead."""
    with client.track_run("a", "j") as run:
        run.log_events(("note", {"n": n, "text": "x" * 500}) for n in range(5_000))
    assert cli("search", " ").code == 2
    slow = cli("search", "nowhere", "--timeout", "0")
    assert slow.code == 1
    assert "--since" in slow.err
