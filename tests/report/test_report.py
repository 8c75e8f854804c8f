"""What happened in a period, on a page that asks for nothing and runs nothing."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import time
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from telemetry_core.timestamp import format_time
from tests.support.cli import Cli
from tests.support.database import lines_of
from tests.support.working_agents import more_work, working_agents

HOSTILE = "<script>alert(1)</script>|`*_[x](http://evil.example)\"'&\n# h"
VOID = {"meta", "br", "link"}


@pytest.fixture
def cli(base, capsys):
    """The command line on `base`."""
    return Cli(base, capsys)


@pytest.fixture
def record(client):
    """Records one run that started some hours ago."""

    def record_run(agent, status="success", hours=1.0, milliseconds=1000, **fields):
        start = datetime.now(timezone.utc) - timedelta(hours=hours)
        end = start + timedelta(milliseconds=milliseconds)
        run_id = client.start_run(agent, fields.pop("job", "job"), start_time=format_time(start))
        client.end_run(
            run_id, status, end_time=format_time(end), duration_ms=milliseconds, **fields
        )
        return run_id

    return record_run


class _Page(HTMLParser):
    """A page, taken apart: its elements, its text, and whether every one of them is closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self._open = [], "", []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" not in self._open:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def _html(cli, *arguments):
    ran = cli("report", "--output", "-", *arguments)
    assert ran.code == 0, ran.err
    return ran.out


def _figures(cli, *arguments):
    return cli("report", "--json", *arguments).json


def test_it_makes_a_page_and_its_markdown(cli, base, record):
    """Both in reports/, dated, for nobody else to read; stderr says where."""
    record("agent")
    ran = cli("report")
    assert (ran.code, ran.out) == (0, "")
    files = sorted((base / "reports").iterdir())
    assert [re.sub(r"\d", "0", path.name) for path in files] == [
        "report_00000000T000000Z.html",
        "report_00000000T000000Z.md",
    ]
    for path in files:
        assert f"report in {path}\n" in ran.err
        if os.name == "posix":
            assert path.stat().st_mode & 0o777 == 0o600


def test_the_page_asks_for_nothing(cli, record):
    """No script, no address, no style of an element's own; the policy forbids all but one style."""
    record("agent", "failed", error_summary="see http://example.org/x.png")
    text = _html(cli)
    page = _Page(text)
    names = {name for name, _ in page.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "base", "form", "use"}
    attributes = {key for _, found in page.elements for key in found}
    assert all(link["href"].startswith("#run-") for link in page.all("a"))
    assert not attributes & {"src", "xlink:href", "style", "srcset", "action"}
    assert not [key for key in attributes if key.startswith("on")]
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    assert set(re.findall(r"url\((.)", style)) == {"#"}
    assert "@import" not in style
    (policy,) = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_what_agents_wrote_stays_text(cli, client, record):
    """In the page, in its pictures and in the Markdown."""
    record(HOSTILE, "failed", job=HOSTILE, error_summary=HOSTILE)
    record("agent", HOSTILE, job=HOSTILE)
    client.start_run(HOSTILE, HOSTILE, run_id=HOSTILE)
    page = _Page(_html(cli))
    assert "script" not in {name for name, _ in page.elements}
    assert page.text.count(HOSTILE.replace("\n", "\\n")) >= 6
    markdown = _html(cli, "--format", "markdown")
    assert not set("<>") & set(markdown)
    assert "\n# h" not in markdown
    unescaped = re.sub(r"\\.", "", markdown)
    assert "[x]" not in unescaped
    assert "`*" not in unescaped
    rows = [line for line in unescaped.splitlines() if line.startswith("| ")]
    assert max(row.count("|") for row in rows) <= 11


def test_figures_are_of_the_period(cli, record):
    """Counts, rates and durations of runs that started in it, next to those of the one before."""
    for minute in range(1, 21):
        record("agent", milliseconds=minute * 1000, hours=1)
    record("agent", "failed", hours=2, milliseconds=10)
    record("agent", "timeout", hours=3, milliseconds=10)
    record("other", "partial", hours=4, milliseconds=10)
    record("agent", "failed", hours=30)
    record("agent", hours=100)
    figures = _figures(cli, "--since", "24h")
    totals = figures["totals"]
    assert (totals["runs"], totals["succeeded"]) == (23, 20)
    assert (totals["failed"], totals["agents"]) == (2, 2)
    assert totals["success_rate"] == round(20 / 23, 4)
    assert (totals["p50_duration_ms"], totals["p95_duration_ms"]) == (9000, 19000)
    assert (figures["before"]["runs"], figures["before"]["failed"]) == (1, 1)
    assert sum(sum(part.values()) for part in figures["parts"].values()) == 23
    agent, other = figures["agents"]
    assert (agent["agent_name"], agent["runs"], other["success_rate"]) == ("agent", 22, 0)
    assert figures["slowest"][0]["duration_ms"] == 20_000
    assert [(row["failed"], row["runs"]) for row in figures["failing"]] == [(2, 22)]
    assert [run["status"] for run in figures["errors"]] == ["failed", "timeout"]


def test_the_first_moment_is_in_the_period_and_the_last_is_not(cli, client):
    """So that of two periods that meet, each run is in one."""
    for start in ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"):
        client.end_run(client.start_run("agent", "job", start_time=start))
    figures = _figures(cli, "--since", "2026-01-01T00:00:00Z", "--until", "2026-01-02T00:00:00Z")
    assert figures["totals"]["runs"] == 1
    assert [agent["runs"] for agent in figures["agents"]] == [1]
    assert figures["period"]["since"] == "2026-01-01T00:00:00.000000Z"


def test_the_latest_error_stands_beside_the_most_failing(cli, record):
    """Of each agent and job, the error of its last failure, not of its last run."""
    record("agent", "failed", hours=5, error_summary="first")
    record("agent", "failed", hours=3, error_summary="latest")
    record("agent", hours=1, error_summary="not of a failure")
    (row,) = _figures(cli)["failing"]
    assert (row["error_summary"], row["failed"]) == ("latest", 2)


def test_statuses_of_somebodys_own_are_counted_together(cli, record):
    """As `other`, so that a picture has room for all."""
    for number in range(30):
        record("agent", f"odd-{number}")
    parts = [part for part in _figures(cli)["parts"].values() if part]
    assert {status for part in parts for status in part} == {"other"}
    assert sum(part["other"] for part in parts) == 30


def test_a_stale_run_is_told_whenever_it_began(cli, client, record):
    """It is of no period: it matters now."""
    long_ago = format_time(datetime.now(timezone.utc) - timedelta(days=90))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELEMETRY_STALE_AFTER", "0.001")
        client.start_run("lost", "job", start_time=long_ago)
        figures = _figures(cli)
    assert figures["totals"]["runs"] == 0
    assert [run["agent_name"] for run in figures["stale"]] == ["lost"]
    assert figures["stale_count"] == 1


def test_hundreds_of_agents_do_not_break_it(cli, record):
    """The first twenty have a row, the others one together; long names are broken, not cut."""
    for number in range(150):
        record(f"agent-{number:03}-" + "x" * 200, hours=1 + number / 100)
    figures = _figures(cli)
    assert len(figures["agents"]) == 20
    assert (figures["others"]["agents"], figures["others"]["runs"]) == (130, 130)
    page = _Page(_html(cli))
    assert "130 other agents" in page.text
    assert len([a for a in page.all("table") if "agents" in a["class"]]) == 1
    assert "130 other agents" in _html(cli, "--format", "markdown")


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_an_empty_period_is_an_honest_page(form, cli, record):
    """Every section is there, and says that it has nothing."""
    record("agent", "failed", hours=24 * 30)
    text = _html(cli, "--format", form)
    for words in (
        "No runs started in this period.",
        "Nothing failed in this period.",
        "No agent ran in this period.",
        "No run is stale.",
    ):
        assert words in text


def test_a_base_that_is_not_there_gives_an_empty_page(cli, base):
    """With a word on stderr; the base is not made for it."""
    ran = cli("report", "--output", "-")
    assert ran.code == 0
    assert "No runs started" in ran.out
    assert "nothing recorded yet" in ran.err
    assert not base.exists()


def test_runs_that_say_little_are_shown_all_the_same(cli, client):
    """Without an agent, a job, an end, or with a duration that is no number."""
    client.start_run(None, None)
    run_id = client.start_run("", "job")
    client.end_run(run_id, "failed", duration_ms="soon")
    page = _Page(_html(cli))
    assert "(no name)" in page.text
    assert "2 runs" in page.text


def test_times_are_local_with_the_zone_and_utc_in_attributes(cli, record, monkeypatch):
    """A person reads their own clock, a program UTC."""
    if not hasattr(time, "tzset"):
        pytest.skip("the zone can't be set here")
    record("agent")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "NPT-5:45")
        time.tzset()
        page = _Page(_html(cli))
    time.tzset()
    assert "local time (NPT, UTC+05:45)" in page.text
    times = page.all("time")
    assert times
    for found in times:
        assert found["datetime"] == found["data-utc"]
        assert found["data-utc"].endswith("Z")


def test_pictures_and_tables_can_be_heard(cli, record):
    """Pictures have titles, tables headers, headings their order, sections names."""
    record("agent")
    record("agent", "failed", error_summary="x")
    text = _html(cli)
    page = _Page(text)
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        picture = ET.fromstring(svg)
        assert picture.get("aria-hidden") == "true" or picture.find("title").text
    assert "<desc>" in text
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    for section in page.all("section") + page.all("table"):
        assert section["aria-labelledby"] in ids
    assert all("scope" in header for header in page.all("th"))
    headings = [name for name, _ in page.elements if re.fullmatch("h[1-6]", name)]
    assert headings == ["h1"] + ["h2"] * 7
    assert page.all("html")[0]["lang"] == "en"


def test_status_is_never_told_by_colour_alone(cli, record):
    """Its name is next to its colour, in the legend and in the tables."""
    record("agent", "failed", error_summary="x")
    text = _html(cli)
    swatches = re.findall(r'<svg class="swatch".*?</svg>(\w*)', text)
    assert swatches
    assert set(swatches) == {"failed"}


def test_the_output_says_the_format(cli, record, tmp_path):
    """By its suffix; a directory gets both; two formats of one name differ in it."""
    record("agent")
    for name, start in (("a.html", "<!doctype html>"), ("b.md", "# "), ("c", "<!doctype html>")):
        assert cli("report", "--output", str(tmp_path / name)).code == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
    (tmp_path / "d").mkdir()
    assert cli("report", "--output", str(tmp_path / "d")).code == 0
    assert len(list((tmp_path / "d").iterdir())) == 2
    assert cli("report", "--output", str(tmp_path / "e.html"), "--format", "both").code == 0
    assert (tmp_path / "e.md").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--since", "soon"], "is not an age"),
        (["--since", "1h", "--until", "1d"], "later than"),
        (["--format", "pdf"], "pdf"),
        (["--link", "javascript:alert(1)"], "give an address"),
        (["--link", "http://127.0.0.1:8765/?token=secret"], "without token"),
        (["--format", "both", "--output", "-"], "stdout takes one"),
        (["--output", "/no/such/directory/x.html"], "no such directory"),
    ],
)
def test_wrong_input_exits_2(arguments, words, cli, base):
    """It says what is wrong, and makes nothing."""
    ran = cli("report", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert not base.exists()


def test_a_place_that_can_not_be_written_is_an_error(cli, base, record):
    """It names the place and another way."""
    record("agent")
    (base / "reports").write_text("in the way")
    ran = cli("report")
    assert ran.code == 1
    assert str(base / "reports") in ran.err
    assert "--output" in ran.err


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium to look at it")
def test_a_browser_shows_it_without_complaint(cli, record, tmp_path):
    """Nothing is refused by the policy, and the style is taken."""
    record("agent", "failed", error_summary="x")
    path = tmp_path / "report.html"
    cli("report", "--output", str(path))
    done = subprocess.run(
        [
            "chromium",
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            f"--user-data-dir={tmp_path}/profile",
            f"--screenshot={tmp_path}/page.png",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (tmp_path / "page.png").exists(), done.stderr
    assert not re.findall(r".*CONSOLE.*", done.stderr)


def test_root_runs_are_counted_and_the_page_says_so(cli, client):
    """Nested runs do not count for totals, rates and agents, unless they are asked for."""
    with client.track_run("outer", "job"):
        for _ in range(5):
            with client.track_run("inner", "step"):
                pass
    figures = _figures(cli)
    assert (figures["totals"]["runs"], figures["nested_left_out"]) == (1, 5)
    assert [agent["agent_name"] for agent in figures["agents"]] == ["outer"]
    assert _figures(cli, "--nested")["totals"]["runs"] == 6
    text = _html(cli)
    assert "1 root run by 1 agent" in text
    assert "5 runs nested in them are not" in text


def test_a_report_is_of_the_runs_that_are_chosen(cli, record):
    """By agent, job and status as everywhere; a value that no run has is named."""
    record("one", job="daily")
    record("two", "failed", job="weekly")
    assert _figures(cli, "--agent", "one")["totals"]["runs"] == 1
    assert _figures(cli, "--job", "weekly")["totals"]["failed"] == 1
    assert _figures(cli, "--status", "failed")["totals"]["runs"] == 1
    assert "did you mean 'two'?" in cli("report", "--agent", "twoo", "--json").err


def test_equal_errors_are_one_line_with_a_count(cli, record):
    """So that one fault does not push all others off the page."""
    for hours in range(1, 13):
        record(f"agent-{hours % 2}", "failed", hours=hours, error_summary="Timeout: 30 s")
    record("other", "failed", hours=20, error_summary="KeyError: 'id'")
    first, second = _figures(cli)["errors"]
    assert (first["count"], first["agents"], second["count"]) == (12, 2, 1)
    assert first["error_summary"] == "Timeout: 30 s"


def test_the_first_day_of_the_default_period_is_whole(cli, record):
    """It starts at midnight, so that the first bar is not a part of a day."""
    record("agent")
    start = datetime.fromisoformat(_figures(cli)["period"]["since"].replace("Z", "+00:00"))
    local = start.astimezone()
    assert (local.hour, local.minute, local.second) == (0, 0, 0)
    assert (datetime.now().astimezone().date() - local.date()).days == 6
    assert len(_figures(cli)["parts"]) == 7


def test_every_run_of_the_page_leads_to_its_id(cli, record):
    """A link for each, to where the whole id and the command are."""
    run_id = record("agent", "failed", error_summary="x")
    page = _Page(_html(cli))
    targets = {f"#{found['id']}" for found in page.all("li") if "id" in found}
    links = {found["href"] for found in page.all("a")}
    assert links == targets
    assert len(targets) == 1
    assert run_id in page.text
    assert f"telemetry show {run_id[-8:]}" in page.text


def test_runs_lead_to_the_live_page_where_its_address_is_given(cli, client):
    """In both forms, with whatever the id is escaped."""
    run_id = client.start_run("agent", "job", run_id="a/b?c")
    client.end_run(run_id, status="failed", error_summary="x")
    given = ("--link", "http://127.0.0.1:8765/")
    page = _Page(cli("report", "--output", "-", *given).out)
    assert "http://127.0.0.1:8765/runs/a%2Fb%3Fc" in {found["href"] for found in page.all("a")}
    text = cli("report", "--output", "-", "--format", "markdown", *given).out
    assert "](http://127.0.0.1:8765/runs/a%2Fb%3Fc)" in text


@pytest.mark.parametrize("name", ["report.pdf", "report.docx"])
def test_a_suffix_of_no_form_is_refused(name, cli, record, tmp_path):
    """Rather than HTML in a file that says it is something else."""
    record("agent")
    ran = cli("report", "-o", str(tmp_path / name))
    assert ran.code == 2
    assert "use .html or .md" in ran.err


@pytest.fixture
def at_work(base):
    """Agents that used models and tools, one of them killed inside a tool call."""
    (base / "raw").mkdir(parents=True)
    lines = lines_of([*working_agents(), *more_work()])
    (base / "raw" / "events_20260101.ndjson").write_bytes(lines)
    (base / "config").mkdir()
    (base / "config" / "prices.toml").write_text(
        '[models."claude*"]\ninput = 3\noutput = 15\ncache_read = 0.3\n'
    )
    return ["--since", "2025-12-01", "--until", "2026-02-01", "--nested"]


def test_a_report_says_what_models_cost_and_which_tools_fail(cli, at_work):
    """As a page, as Markdown and as numbers; the tool that fails most comes first."""
    page = _Page(cli("report", *at_work, "--format", "html", "--output", "-").out)
    for words in ("Models", "Costs by agent", "Slow and failing tools", "claude-sonnet-4-5"):
        assert words in page.text
    text = cli("report", *at_work, "--format", "markdown", "--output", "-").out
    assert "| claude-sonnet-4-5 | 1 | 1,200 | 9,000 |  | 80 | 88% |  | \\$0.0075 |" in text
    assert "| fetch | TimeoutError: no answer | 1 | 1 | 0 | 100 ms | 100 ms |" in text
    found = cli("report", *at_work, "--json").json
    tools = next(one for one in found["work"] if one["name"] == "tools")
    assert tools["values"][0]["name"] == "fetch"
    models = next(one for one in found["work"] if one["name"] == "models")
    assert models["values"][0]["cost_estimated_usd"] == pytest.approx(0.0075)


def test_a_report_says_what_a_killed_run_was_doing(cli, at_work):
    """Next to the stale run."""
    said = "killed in tool_call search after 3.2 s, 4 spans deep"
    assert said in _Page(cli("report", *at_work, "--format", "html", "--output", "-").out).text


def test_a_report_of_one_agent_has_its_calls_alone(cli, at_work):
    """And one without spans has no such sections."""
    helper = cli("report", *at_work, "--agent", "helper", "--json").json
    tools = next(one for one in helper["work"] if one["name"] == "tools")
    assert [row["name"] for row in tools["values"]] == ["fetch"]
    assert (
        cli("report", "--since", "2026-03-01", "--until", "2026-03-02", "--json").json["work"] == []
    )
