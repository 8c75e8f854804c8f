"""Each runs as it stands, and answers what it says it does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Cli
from tests.support.database import lines_of
from tests.support.history import two_weeks
from tests.support.process import ROOT
from tests.support.working_agents import more_work, working_agents

_PAGE = (ROOT / "docs" / "queries.md").read_text(encoding="utf-8")
_QUERIES = dict(
    re.findall(r"^## ([^\n]+)\n.*?^```sql\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base in which every question has an answer."""
    path = tmp_path_factory.mktemp("history") / "base"
    two_weeks(path)
    return path


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base in which every question about spans has an answer."""
    path = tmp_path_factory.mktemp("work") / "base"
    (path / "raw").mkdir(parents=True)
    lines = lines_of([*working_agents(), *more_work()])
    (path / "raw" / "events_20260101.ndjson").write_bytes(lines)
    (path / "config").mkdir()
    (path / "config" / "prices.toml").write_text('[models."claude*"]\ninput = 3\noutput = 15\n')
    return path


_OF_WORK = list(_QUERIES)[20:]


def _ask(base: Path, capsys: pytest.CaptureFixture[str], question: str) -> list[dict[str, Any]]:
    ran = Cli(base, capsys)("sql", _QUERIES[question], "--json")
    assert (ran.code, ran.err) == (0, "")
    rows: list[dict[str, Any]] = ran.json
    return rows


def test_there_are_forty_questions() -> None:
    """Every heading has a query, and none is lost by the way it is found here."""
    assert len(_QUERIES) == _PAGE.count("\n## ") == _PAGE.count("```sql\n") == 40


@pytest.mark.parametrize("question", _QUERIES)
def test_query_gives_rows(question: str, base: Path, work: Path, capsys) -> None:
    """As it stands, on two weeks of four agents, and on what agents did in spans."""
    assert _ask(work if question in _OF_WORK else base, capsys, question)


@pytest.mark.parametrize("question", _QUERIES)
def test_query_can_be_pasted_between_quotes(question: str) -> None:
    """Nothing in it means something to a shell inside double quotes."""
    assert not re.search(r'["`\\!]|\$[\w{(@*#?$-]', _QUERIES[question])


def test_last_night_is_what_ran_last_evening(base: Path, capsys) -> None:
    """The runs of ten o'clock, in the order they began."""
    jobs = [
        row["job_type"]
        for row in _ask(base, capsys, "What ran last night?")
        if row["agent_name"] == "reporter"
    ]
    assert jobs == ["weekly", "chapter", "chapter"]


def test_failures_of_this_week_have_their_reason(base: Path, capsys) -> None:
    """Two of them, the later first."""
    rows = _ask(base, capsys, "What failed this week, and why?")
    assert [row["error_summary"] for row in rows] == ["ValueError: no such column: price"] * 2
    assert rows[0]["started"] > rows[1]["started"]


def test_success_is_of_the_runs_that_ended(base: Path, capsys) -> None:
    """Seven of nine importers; the crawler that hangs is not counted."""
    rows = _ask(base, capsys, "How often does each agent succeed, this week?")
    found = {row["agent_name"]: (row["ended"], row["percent"]) for row in rows}
    ended, percent = found["importer"]
    assert percent == round(100 * (ended - 2) / ended, 1)
    assert found["crawler"][1] == 100.0


def test_slow_is_held_against_earlier_runs(base: Path, capsys) -> None:
    """The crawler's hour against its usual ten minutes, and nothing else."""
    (row,) = _ask(base, capsys, "What runs slower than usual?")
    assert (row["agent_name"], row["seconds"], row["usual_seconds"]) == ("crawler", 3600, 600)


def test_a_run_that_hangs_is_silent(base: Path, capsys) -> None:
    """The one that never ended, and it is the one that has no end, too."""
    (row,) = _ask(base, capsys, "Which runs hang, or were killed?")
    assert (row["job_type"], row["reason"]) == ("backfill", "silent")
    (running,) = _ask(base, capsys, "Which runs have no end?")
    assert (running["run_id"], running["hours"]) == (row["run_id"], 26.0)


def test_items_add_up(base: Path, capsys) -> None:
    """Nothing is counted twice: fourteen days of fifty, and of three."""
    rows = _ask(base, capsys, "How many items were processed each day?")
    done = dict.fromkeys(("importer", "crawler"), 0)
    for row in rows:
        done[row["agent_name"]] += row["done"] or 0
    assert done == {"importer": 700, "crawler": 42}


def test_commit_is_the_one_that_was_associated(base: Path, capsys) -> None:
    """With where it came from."""
    (row,) = _ask(base, capsys, "Which commit did a run lead to?")
    assert (row["git_commit_hash"], row["git_commit_source"]) == ("0123abcd", "llm")


def test_children_stand_below_their_parent(base: Path, capsys) -> None:
    """In the order they began, indented."""
    rows = _ask(base, capsys, "What ran inside of what?")
    assert [row["job"] for row in rows] == ["weekly", "..chapter", "..chapter"]


def test_events_of_a_run_are_in_order(base: Path, capsys) -> None:
    """From its start to its end."""
    rows = _ask(base, capsys, "What happened in a run, in order?")
    assert [row["event_type"] for row in rows] == ["run.started", "run.ended"]


def test_a_second_try_follows_a_failure(base: Path, capsys) -> None:
    """Both times it went well."""
    rows = _ask(base, capsys, "What was tried again after it failed?")
    assert [row["status"] for row in rows] == ["success", "success"]


def test_it_broke_after_the_last_success(base: Path, capsys) -> None:
    """Twice, each time with the time it last worked."""
    rows = _ask(base, capsys, "When did it break?")
    assert len(rows) == 2
    assert all(row["last_good"] < row["first_failure"] for row in rows)


def test_the_silent_agent_comes_first(base: Path, capsys) -> None:
    """The mailer, ten days."""
    rows = _ask(base, capsys, "Which agent has been silent the longest?")
    assert (rows[0]["agent_name"], rows[0]["days"]) == ("mailer", 10.0)


def test_costs_are_summed(base: Path, capsys) -> None:
    """Out of the JSON that agents recorded."""
    rows = _ask(base, capsys, "What did it cost?")
    assert sum(row["tokens"] for row in rows) == 14_000
    assert sum(row["cost"] for row in rows) == 3.5


def test_the_tool_that_fails_comes_first(work: Path, capsys) -> None:
    """With how often, and an error of it."""
    rows = _ask(work, capsys, "Which tools fail the most?")
    assert (rows[0]["tool_name"], rows[0]["percent"]) == ("fetch", 100.0)
    assert rows[0]["an_error"] == "TimeoutError: no answer"


def test_a_killed_run_says_in_which_span(work: Path, capsys) -> None:
    """The last that it started, and how many were open."""
    (row,) = _ask(work, capsys, "What was a killed run doing?")
    assert (row["open_spans"], row["last_open_span"]) == (4, "tool")


def test_time_is_counted_where_it_was_spent(work: Path, capsys) -> None:
    """A span's own, without that of the spans inside it."""
    rows = _ask(work, capsys, "Where does the time of a run go?")
    own = {row["kind"]: row["own_ms"] for row in rows}
    assert own["agent"] == 100 - 800
    assert own["tool"] == 700


def test_a_copied_call_is_counted_in_the_first_session(work: Path, capsys) -> None:
    """Both names are given."""
    (row,) = _ask(work, capsys, "Which calls does another session own?")
    assert (row["copied_in"], row["counted_in"]) == ("claude-code-copy", "claude-code-first")


def test_models_without_a_price_are_found(work: Path, capsys) -> None:
    """By their names."""
    rows = _ask(work, capsys, "Which models have no price?")
    assert {"odd-model", "m-2"} <= {row["model"] for row in rows}
