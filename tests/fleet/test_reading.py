"""Reading commands say of the fleet what they would say of one base with all hosts' logs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.centre import Host, configure
from tests.support.cli import Cli, Ran
from tests.support.clickhouse import Centre
from tests.support.fleet import SHARED, Fleet, make_fleet

pytestmark = pytest.mark.needs("clickhouse")

QUESTIONS = (
    "runs",
    "runs --nested --limit 0",
    "runs --roots --limit 0",
    "runs --limit 3",
    "runs --roots --agent helper",
    "runs --limit 0 --json",
    "runs --agent crawler --limit 4",
    "runs --job child",
    "runs --status failed --json",
    "runs --status stale",
    "runs --status running",
    "runs --since 3d",
    "runs --until 3d --agent importer",
    "runs --agent crawlr",
    "runs --status faild --job nightli",
    "runs --parent PARENT --nested",
    "stats",
    "stats --nested",
    "stats --json",
    "stats --agent crawler --since 5d",
    "stats --agent nobody",
    "stats --agent helper",
    "stats --status failed",
    "usage",
    "usage --by agent",
    "usage --by day --json",
    "usage --by run",
    "usage --by model --since 1d",
    "show latest",
    "show latest --json",
    "show PARENT",
    "show PARENT --json --full",
    "show PARENT --events 2",
    "show SHARED",
    "show research",
    "show nothing",
    "show claude-code-first --json",
    "show claude-code-copy --json",
    "tree claude-code-copy --json",
    "usage --by run --json --since 2026-01-01T00:00:01Z",
    "tree PARENT",
    "tree PARENT --json",
    "tree research --all",
    "tree caller",
    "tree latest",
    "report --format markdown --output -",
    "report --json --nested",
    "report --json --since 2026-01-01 --until 2026-01-02",
    "report --json --agent crawler",
    "report --json --since 2026-01-01T00:00:08.9Z --until 2026-01-01T00:00:09.2Z",
    "report --json --status stale",
    "report --json --agent nobody",
)


@pytest.fixture(scope="module")
def fleet(module_centre: Centre, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Three hosts that shipped."""
    return make_fleet(tmp_path_factory.mktemp("reading"), module_centre)


def both(fleet: Fleet, capsys: pytest.CaptureFixture[str], question: str) -> tuple[Ran, Ran]:
    """What the union of all logs answers, and what the fleet does."""
    here, there = Cli(fleet.union, capsys), Cli(fleet.reader, capsys)
    known = {"SHARED": SHARED, "PARENT": _parent(here)}
    words = [known.get(word, word) for word in question.split()]
    return here(*words), there("--fleet", *words)


def _parent(cli: Cli) -> str:
    """A run with spans and with runs inside it."""
    runs = cli("runs", "--json", "--limit", "0").json
    children = {run["parent_run_id"] for run in runs if run["job_type"] == "child"}
    (parent,) = children
    return str(parent)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_fleet_answers_what_one_base_would(question: str, fleet: Fleet, capsys) -> None:
    """The same on stdout and stderr, with the same exit code."""
    here, there = both(fleet, capsys, question)
    assert _timeless(there.out) == _timeless(here.out)
    assert _timeless(there.err) == _timeless(here.err)
    assert there.code == here.code


def _timeless(text: str) -> str:
    """A text without where and when it was made, to the second."""
    text = re.sub(r'"until": "[^"]*"|"since": "[^"]*"', "", text)
    return re.sub(r"Made .*? from .*?, by", "Made by", text)


@pytest.fixture
def capped(monkeypatch) -> None:
    """A reader that takes three rows of a kind at most."""
    monkeypatch.setattr("indexer.fleet.reading.reader.MOST_ROWS", 3)


@pytest.mark.usefixtures("capped")
@pytest.mark.parametrize(
    ("question", "what", "narrower"),
    [
        ("runs --limit 2", "runs", "--since, --agent or --job"),
        ("stats", "runs", "--since, --agent or --job"),
        ("usage", "spans", "--since"),
        ("show PARENT --full", "events", "--events"),
        ("tree PARENT", "spans", "the id of a run inside it"),
    ],
)
def test_what_is_too_much_is_cut_and_said(
    question: str, what: str, narrower: str, fleet: Fleet, capsys
) -> None:
    """On stderr, with what asks for less; the newest are read."""
    here, there = both(fleet, capsys, question)
    assert there.code == 0
    assert f"warning: only the newest 3 {what} of the fleet were read" in there.err
    assert narrower in there.err
    assert "warning" not in here.err
    if question.startswith("runs"):
        assert there.out.splitlines()[1:] == here.out.splitlines()[1:]


@pytest.mark.usefixtures("capped")
def test_what_is_asked_for_is_not_cut(fleet: Fleet, capsys) -> None:
    """A filter is the centre's to apply, so that three of many are three."""
    here, there = both(fleet, capsys, "runs --agent mailer")
    assert (there.out, there.err) == (here.out, here.err)
    assert there.err == ""


def test_reading_sends_nothing_to_the_centre_but_questions(fleet: Fleet, capsys) -> None:
    """Whoever reads needs SELECT and nothing else, and writes no file in its base."""
    before = sorted(fleet.reader.rglob("*"))
    fleet.centre.server.requests()
    for question in ("runs", "show latest", "tree latest", "usage", "report --json"):
        assert Cli(fleet.reader, capsys)("--fleet", *question.split()).code == 0
    asked = fleet.centre.server.requests()
    assert asked
    assert all(sql.startswith("SELECT") for sql in asked)
    assert sorted(fleet.reader.rglob("*")) == before


@pytest.mark.parametrize(
    "name", ["it's", "back\\slash", "tab\tand\nline", "{a:String}", "é 100%", ""]
)
def test_names_are_names_whatever_is_in_them(
    name: str, centre: Centre, hosts: Path, capsys
) -> None:
    """Of agents and runs, as they are asked for and as they come."""
    client = TelemetryClient(TelemetryConfig.for_base(hosts / "one", {"TELEMETRY_GIT": "false"}))
    run_id = client.start_run(name or "other", "job", run_id=f"run {name}")
    with client.track_run("child", "job", parent_run_id=run_id) as run, run.span("step"):
        pass
    client.end_run(run_id)
    Host(Base(client.config), centre).ship()
    configure(hosts / "reader", centre.address)
    here, there = Cli(hosts / "one", capsys), Cli(hosts / "reader", capsys)
    for words in (
        ("runs", "--agent", name, "--json"),
        ("show", f"run {name}", "--json"),
        ("tree", f"run {name}", "--json"),
        ("runs", "--parent", f"run {name}", "--json"),
        ("stats", "--job", name),
    ):
        found, expected = there("--fleet", *words), here(*words)
        assert (found.out, found.err, found.code) == (expected.out, expected.err, expected.code)
