"""What an operator meets who reads a fleet: said plainly, with a next step and no secret."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.cli.main import COMMANDS, READ_A_FLEET
from tests.support.centre import configure
from tests.support.cli import Cli
from tests.support.clickhouse import Centre, Server

SECRET = "hunter2-of-the-fleet"


@pytest.fixture
def cli(base: Path, capsys) -> Cli:
    """The command line on a base without a log."""
    return Cli(base, capsys)


def _configure(base: Path, name: str, url: str, database: str = "telemetry") -> None:
    (base / "config").mkdir(parents=True, exist_ok=True)
    with open(base / "config" / "telemetry.toml", "a", encoding="utf-8") as file:
        file.write(
            f'[targets.{name}]\nkind = "clickhouse"\nurl = "{url}"\ndatabase = "{database}"\n'
        )


def test_without_a_centre_it_says_how_to_configure_one(cli: Cli) -> None:
    """And writes no base directory."""
    ran = cli("--fleet", "runs")
    assert ran.code == 1
    assert "no target of kind clickhouse is configured" in ran.err
    assert "telemetry docs fleet" in ran.err


def test_the_page_of_a_fleet_needs_a_centre_as_well(cli: Cli) -> None:
    """It is said before anything is served."""
    pytest.importorskip("starlette", reason="the page needs the extra `ui`, and Python 3.10")
    ran = cli("ui", "--fleet", "--port", "0")
    assert ran.code == 1
    assert "no target of kind clickhouse is configured" in ran.err
    assert ran.out == ""


def test_a_target_that_cannot_be_used_is_named_with_its_reason(cli: Cli, base: Path) -> None:
    """Rather than as if there were none."""
    _configure(base, "fleet", "ftp://ch")
    ran = cli("--fleet", "runs")
    assert ran.code == 1
    assert "target fleet: url is not an http or https address" in ran.err


def test_of_several_centres_one_has_to_be_named(cli: Cli, base: Path) -> None:
    """The error names them; a name that is none of them is said as well."""
    _configure(base, "north", "http://127.0.0.1:1")
    _configure(base, "south", "http://127.0.0.1:2")
    ran = cli("--fleet", "stats")
    assert ran.code == 1
    assert "north, south" in ran.err
    assert "--fleet-target NAME" in ran.err
    assert "'east'" in cli("stats", "--fleet-target", "east").err
    assert "fleet south at 127.0.0.1:2" in cli("stats", "--fleet-target", "south").err


def test_a_centre_that_does_not_answer_is_named(cli: Cli, base: Path) -> None:
    """Nothing is said to be tried again, for nothing is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _configure(base, "fleet", f"http://127.0.0.1:{port}")
    ran = cli("--fleet", "runs")
    assert ran.code == 1
    assert f"fleet fleet at 127.0.0.1:{port}: the centre cannot be reached" in ran.err
    assert "tried again" not in ran.err


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - READ_A_FLEET))
def test_other_commands_refuse_the_option(command: str, cli: Cli) -> None:
    """Rather than show this host's rows as the fleet's."""
    ran = cli("--fleet", command)
    assert ran.code == 2
    assert f"{command} reads this host alone" in ran.err


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks for a password."""
    server = Server(tmp_path_factory.mktemp("guarded") / "data", "reader", SECRET)
    yield server
    server.kill()


@pytest.mark.needs("clickhouse")
@pytest.mark.parametrize("arguments", [("runs",), ("show", "latest"), ("-v", "stats")])
def test_credentials_that_are_refused_are_not_repeated(
    arguments: tuple[str, ...], guarded: Server, cli: Cli, base: Path, monkeypatch
) -> None:
    """Neither ours nor what the server says of them, with a traceback or without."""
    monkeypatch.setenv("TELEMETRY_FLEET_USER", "reader")
    monkeypatch.setenv("TELEMETRY_FLEET_TOKEN", "wrong-hunter2")
    _configure(base, "fleet", guarded.url)
    ran = cli("--fleet", *arguments)
    assert ran.code == 1
    assert "the centre refuses access" in ran.err
    assert "TELEMETRY_FLEET_TOKEN" in ran.err
    assert "hunter2" not in ran.out + ran.err


@pytest.mark.needs("clickhouse")
def test_without_tables_it_says_how_to_make_them(server: Server, cli: Cli, base: Path) -> None:
    """As somebody does first who configures a centre before there is one."""
    _configure(base, "fleet", server.url, "default")
    ran = cli("--fleet", "runs")
    assert ran.code == 1
    assert "telemetry fleet init" in ran.err


@pytest.mark.needs("clickhouse")
def test_an_empty_centre_has_no_runs(centre: Centre, cli: Cli, base: Path) -> None:
    """As a base has none in which nothing was recorded."""
    configure(base, centre.address)
    assert cli("--fleet", "runs", "--json").out == "[]\n"
    assert "no runs match" in cli("--fleet", "stats").err
    assert cli("--fleet", "show", "latest").code == 1
    assert "no model calls" in cli("--fleet", "usage").err
    assert cli("--fleet", "report", "--json").json["totals"]["runs"] == 0
