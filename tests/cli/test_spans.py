"""Usage, tree, compare, show."""

from __future__ import annotations

import re

import pytest

from tests.support.cli import Cli
from tests.support.database import event, lines_of
from tests.support.working_agents import (
    HELPER,
    KILLED,
    RESEARCH,
    TRACE,
    trace_under_a_run,
    working_agents,
)


@pytest.fixture
def cli(base, capsys):
    """The command line on a base where agents have worked; prices are those given here."""
    (base / "raw").mkdir(parents=True)
    (base / "raw" / "events_20260101.ndjson").write_bytes(lines_of(working_agents()))
    (base / "config").mkdir()
    (base / "config" / "prices.toml").write_text(
        '[models."claude*"]\ninput = 3\noutput = 15\ncache_read = 0.3\n'
    )
    return Cli(base, capsys)


def test_usage_is_summed_by_model_with_its_costs(cli):
    """An unknown model has no price, which the sum says."""
    ran = cli("usage")
    assert ran.code == 0
    claude = next(line for line in ran.out.splitlines() if line.startswith("anthropic"))
    assert claude.split() == [
        "anthropic",
        "claude-sonnet-4-5",
        "1",
        "1,200",
        "9,000",
        "80",
        "88%",
        "$0.0075",
    ]
    (total,) = (line for line in ran.out.splitlines() if line.startswith("all"))
    assert total.endswith("$0.0075 +")
    assert "1 call has no list price" in ran.out


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("model", {"provider": "anthropic", "model": "claude-sonnet-4-5"}),
        ("agent", {"agent_name": "researcher"}),
        ("day", {"day": "2026-01-01"}),
        ("run", {"run_id": RESEARCH, "agent_name": "researcher"}),
    ],
)
def test_usage_as_json_has_stable_keys(cli, by, names):
    """By each of the four; what cost most comes first."""
    found = cli("usage", "--by", by, "--json").json
    assert found.keys() == {"by", "since", "prices", "rows", "total"}
    assert found["rows"][0].items() >= names.items()
    assert found["total"]["cost_estimated_usd"] == pytest.approx(0.0075)
    assert found["total"]["calls"] == 2


def test_usage_since_leaves_out_what_was_before(cli):
    """By when the calls began; nothing is no error."""
    ran = cli("usage", "--since", "2026-02-01")
    assert (ran.code, ran.out, ran.err) == (0, "", "no model calls with usage\n")


def test_the_tree_folds_siblings_and_shows_runs_inside(cli):
    """Six searches are one line; the failed tool of the child run has its error."""
    lines = cli("tree", RESEARCH).out.splitlines()
    names = [re.match(r"[│├└─ ]*\S.*?(?=  |$)", line)[0] for line in lines[1:]]
    assert names == [
        "run researcher answer research-run",
        "├─ agent plan",
        "│  ├─ llm chat",
        "│  ├─ llm chat",
        "│  └─ tool search x6",
        "└─ run helper helper-run",
        "   └─ tool fetch",
    ]
    assert "TimeoutError: no answer" in lines[-1]
    assert "10,200 + 80  $0.0075  claude-sonnet-4-5" in lines[3]


def test_the_tree_shows_all_if_asked(cli):
    """A line for each."""
    assert cli("tree", RESEARCH, "--all").out.count("tool search") == 6


def test_the_tree_as_json_nests(cli):
    """Rows of spans and runs, each with its children."""
    top = cli("tree", RESEARCH, "--json").json
    plan, helper = top["children"]
    assert (top["run_id"], helper["run_id"]) == (RESEARCH, HELPER)
    assert len(plan["children"]) == 8


@pytest.mark.parametrize("command", ["tree", "show"])
def test_a_killed_run_says_what_it_was_doing(cli, command):
    """The span that started last, how long before the last event, and how deep it stands."""
    assert "killed in tool_call search after 3.2 s, 4 spans deep" in cli(command, KILLED).out


def test_a_stale_run_has_its_open_spans_in_the_view(cli):
    """So that SQL finds what agents die in."""
    rows = cli("sql", "SELECT open_spans, last_open_span FROM stale_runs", "--json").json
    assert rows == [{"open_spans": 4, "last_open_span": "tool"}]


def test_compare_shows_in_what_two_runs_differ(cli):
    """Fields, metrics, usage and the time spent in spans, with the change where there is one."""
    found = cli("compare", RESEARCH, KILLED, "--json").json
    fields = {pair["name"]: (pair["one"], pair["other"]) for pair in found["fields"]}
    assert fields["status"] == ("success", "running")
    assert "agent_name" not in fields
    assert [pair["one"] for pair in found["metrics"]] == [pytest.approx(1 / 6)]
    usage = {pair["name"]: pair["one"] for pair in found["usage"]}
    assert usage["input_tokens"] == 1_210
    spans = {pair["name"]: (pair["one"], pair["other"]) for pair in found["spans"]}
    assert spans["tool search"] == (600.0, None)
    assert cli("compare", RESEARCH, RESEARCH, "--json").json["fields"] == []
    text = cli("compare", RESEARCH, HELPER).out
    assert "no differences" not in text
    cli("start", "a", "b")
    assert cli("compare", "latest", "latest").out.endswith("\nno differences\n")
    assert "$0.0075" in text


def test_show_has_spans_usage_and_metrics(cli):
    """In words, and in JSON under keys of their own."""
    text = cli("show", RESEARCH).out
    assert (
        "2 model calls, 10,210 tokens in (88% from cache), 80 out, $0.0075 + at list price" in text
    )
    assert "Metrics (1)" in text
    assert "tool search x6" in text
    found = cli("show", RESEARCH, "--json").json
    assert found["usage"]["calls"] == 2
    assert len(found["spans"]) == 9
    assert found["metrics"][0]["points"] == 6


def test_a_run_without_spans_is_shown_as_ever(cli, base):
    """No headings of what it has not."""
    (base / "raw" / "events_20260102.ndjson").write_bytes(
        lines_of([event(1, "run.started", "plain")])
    )
    text = cli("show", "plain").out
    assert not any(word in text for word in ("Spans", "Usage", "Metrics"))
    assert cli("tree", "plain").out.splitlines()[1].startswith("run")


def test_ten_thousand_spans_at_two_hundred_levels_are_shown(cli, base):
    """As a tree, as a tree of JSON, and in a run whose parents go in circles."""
    spans = [
        event(
            2 * n,
            "span.started",
            "deep",
            span_id=f"{n}",
            name=f"n{n}",
            parent_span_id=f"{n - 1}" if n % 200 else None,
        )
        for n in range(10_000)
    ]
    circle = [
        event(1, "span.started", "circle", span_id=a, parent_span_id=b)._replace(id=f"c{a}")
        for a, b in ("xy", "yx", "zz")
    ]
    (base / "raw" / "events_20260102.ndjson").write_bytes(lines_of([*spans, *circle]))
    assert cli("tree", "deep", "--all").out.count("\n") == 10_002
    assert cli("tree", "circle").out.count("span ") == 3


def test_a_trace_begun_under_a_run_is_shown_inside_it(cli, base):
    """The rows stay where they are; the run's own trace context leads to them."""
    (base / "raw" / "events_20260102.ndjson").write_bytes(lines_of(trace_under_a_run(1)))
    top = cli("tree", "caller", "--json").json
    (inside,) = top["children"]
    assert (inside["run_id"], inside["status"]) == (f"trace-{TRACE}", "success")
    assert [one["name"] for one in inside["children"]] == ["handle"]
