"""What they say of the runs there are."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the page needs the extra `ui`, and Python 3.10")

from indexer.database.freshness import index_once
from indexer.store.connection import reading
from indexer.system.base import Base
from indexer.ui.queries.agents import look_back
from indexer.ui.queries.day import last_day
from indexer.ui.queries.run.steps import family_of
from telemetry_core import TelemetryClient
from telemetry_core.event import ALERT_SUBJECT, Event
from telemetry_core.line import encode
from tests.support.history import two_weeks
from tests.support.page import Visitor, visiting
from tests.support.process import environment


@pytest.fixture
def visitor(base: Path) -> Iterator[Visitor]:
    """The page of two weeks of four agents."""
    two_weeks(base)
    index_once(Base.at(base, {}))
    with visiting(base) as one:
        yield one


def _agents(visitor: Visitor, query: str) -> set[str]:
    runs = visitor.get(f"/runs.json?limit=200&{query}").json()["runs"]
    return {run["agent_name"] for run in runs}


def _count(visitor: Visitor, query: str) -> int:
    return len(visitor.get(f"/runs.json?limit=200&{query}").json()["runs"])


def test_filters_find_what_they_say(visitor: Visitor) -> None:
    """By agent, pattern, job, status, time, text, and comparisons."""
    assert _agents(visitor, "agent=crawler") == {"crawler"}
    assert _agents(visitor, "agent=crawler,mailer") == {"crawler", "mailer"}
    assert _agents(visitor, "agent=c*") == {"crawler"}
    assert _agents(visitor, "agent=[c]*") == set()
    assert _agents(visitor, "job=weekly") == {"reporter"}
    assert _agents(visitor, "status=failed") == {"importer"}
    assert _agents(visitor, "status=stale") == {"crawler"}
    assert _agents(visitor, "q=column%3A+price") == {"importer"}
    assert _agents(visitor, "q=host=web2") == {"reporter", "mailer"}
    assert _agents(visitor, "q=duration>30m&since=3d") == {"crawler"}
    assert _agents(visitor, "q=failed>=1") == {"importer"}
    assert _agents(visitor, "q=cost>0") == set()
    assert _agents(visitor, "q=100%25") == set()


def test_runs_inside_others_are_hidden_until_something_is_asked(visitor: Visitor) -> None:
    """The plain list has roots; a filter looks at all runs; `show` decides."""
    assert _count(visitor, "show=all") == _count(visitor, "") + 2
    assert _count(visitor, "job=chapter") == 2
    assert _count(visitor, "job=chapter&show=roots") == 0
    opened = visitor.get("/runs?limit=200&open=" + _reporter(visitor)).text
    assert opened.count('class="inside"') == 2


def test_what_a_killed_run_had_open_ends_with_its_last_event(base: Path) -> None:
    """The axis shows how long it ran, not how long ago that was."""
    events = [
        ("00:00:00", "run.started", {"agent_name": "a", "job_type": "b"}),
        ("00:00:01", "span.started", {"span_id": "s", "name": "wait", "kind": "step"}),
        ("00:00:03", "run.event", {"event_type": "last"}),
    ]
    (base / "raw").mkdir(parents=True)
    lines = [
        {
            "specversion": "1.0",
            "id": f"id{number}",
            "source": "elsewhere/1",
            "type": kind,
            "subject": "dead",
            "time": f"2026-01-01T{time}.000000Z",
            "data": data,
        }
        for number, (time, kind, data) in enumerate(events)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (base / "raw" / "events_20260101.ndjson").write_text(text)
    index_once(Base.at(base, {}))
    with reading(Base.at(base, {}).database_path) as connection:
        family = family_of(connection, "dead")
    assert family is not None
    found = [(step.start, step.end, step.state) for step in family.steps]
    assert found == [(0, 3000, "killed"), (1000, 3000, "killed")]


def _reporter(visitor: Visitor) -> str:
    return str(visitor.get("/runs.json?job=weekly").json()["runs"][0]["run_id"])


@pytest.mark.parametrize("query", ["", "show=all", "agent=importer", "since=5d"])
def test_pages_of_a_list_join_without_gap_or_repetition(visitor: Visitor, query: str) -> None:
    """Going older page by page shows each run once, and newer leads back."""
    whole = [r["run_id"] for r in visitor.get(f"/runs.json?limit=200&{query}").json()["runs"]]
    seen: list[str] = []
    before = ""
    while True:
        page = visitor.ask(
            "GET", f"/runs.json?limit=4&{query}&before={before}", visitor.signed_in
        ).json()
        seen += [run["run_id"] for run in page["runs"]]
        if not page["older"]:
            break
        before = page["older"].replace(" ", "+")
    assert seen == whole
    last = visitor.get(f"/runs.json?limit=200&{query}").json()["runs"][-1]
    after = f"{last['start_time']}+{last['run_id']}"
    newer = visitor.get(f"/runs.json?limit=4&{query}&after={after}").json()["runs"]
    assert [run["run_id"] for run in newer] == whole[-5:-1]


def test_sorting_by_a_column(visitor: Visitor) -> None:
    """The longest first; what has no duration comes last."""
    runs = visitor.get("/runs.json?sort=duration&limit=200&show=all").json()["runs"]
    times = [run["duration_ms"] for run in runs]
    known = [time for time in times if time is not None]
    assert known == sorted(known, reverse=True)
    assert times[: len(known)] == known


@pytest.mark.parametrize(
    "query",
    [
        "",
        "agent=c*&status=stale",
        "agent=crawler,mailer&since=13d",
        "q=duration%3E2m+host%3Dweb1&show=roots",
        "q=column%3A+price",
        "q=o'clock+%25+%3F",
        "sort=duration&show=all",
        "sort=agent&job=nightly",
    ],
)
def test_the_query_behind_a_list_gives_its_runs(visitor: Visitor, query: str) -> None:
    """The link to the page of queries holds the filter and the order, values and all."""
    page = visitor.get(f"/runs?limit=20&{query}").text
    link = html.unescape(re.findall(r'href="(/sql\?q=[^"]+)"', page)[0])
    found = visitor.get(link.replace("/sql?", "/sql.json?")).json()["rows"]
    shown = visitor.get(f"/runs.json?limit=20&{query}").json()["runs"]
    column = "".join(re.findall(r"sort=(\w+)", query))
    name = {"duration": "duration_ms", "agent": "agent_name"}.get(column, "run_id")
    assert bool(found) is ("clock" not in query)
    assert [run[name] for run in found] == [run[name] for run in shown]


def test_csv_has_what_is_shown(visitor: Visitor) -> None:
    """The same runs in the same order, with all fields."""
    text = visitor.get("/runs.csv?agent=importer&limit=5").text
    rows = list(csv.DictReader(io.StringIO(text)))
    shown = visitor.get("/runs.json?agent=importer&limit=5").json()["runs"]
    assert [row["run_id"] for row in rows] == [run["run_id"] for run in shown]


def test_the_overview_says_what_needs_attention(visitor: Visitor) -> None:
    """Who is running, and the last day."""
    page = visitor.get("/").text
    assert "Nothing is running." in page
    found = visitor.get("/overview.json").json()
    assert len(found["last_24_hours"]) == 24
    assert {run["stale"] for run in found["running"]} == {"silent"}


def test_a_killed_run_is_stale_in_the_hours_and_among_the_agents(base: Path) -> None:
    """Not running: neither in the bars of the last day nor as its agent's last run."""
    code = (
        "import os; from telemetry_core import TelemetryClient as Client;"
        f"Client({str(base)!r}).start_run('doomed', 'job'); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code], check=False, env=environment(), timeout=60)
    index_once(Base.at(base, {}))
    with reading(Base.at(base, {}).database_path) as connection:
        hours = [hour.statuses for hour in last_day(connection) if hour.statuses]
        (agent,) = look_back(connection, 1, 5.0).agents
    assert hours == [{"stale": 1}]
    assert agent.newest is not None
    assert (agent.newest.status, agent.all.ended) == ("stale", 0)


def test_long_and_blank_names_take_no_more_room_than_others(
    base: Path, client: TelemetryClient
) -> None:
    """Lists and sentences cut them; what is blank can still be pointed at."""
    with client.track_run("word " * 400, " "):
        pass
    client.start_run("word " * 400, "job")
    index_once(Base.at(base, {}))
    with visiting(base) as visitor:
        for path in ("/", "/runs", "/agents"):
            seen = re.sub("<[^>]*>", "", visitor.get(path).text)
            assert "word " * 20 not in seen, path
        assert "(blank)" in visitor.get("/runs").text


def test_a_list_without_runs_says_which_filter_can_go(visitor: Visitor) -> None:
    """A link for each filter, without it."""
    page = visitor.get("/runs?agent=nosuch&status=failed").text
    assert "/runs?status=failed" in page
    assert "/runs?agent=nosuch" in page
    assert "of any agent" in page


def test_a_run_can_be_opened_by_the_beginning_of_its_id(visitor: Visitor) -> None:
    """As at the command line; `latest` too. One that is not there offers the nearest."""
    run_id = _reporter(visitor)
    assert visitor.get(f"/runs/{run_id[:-4]}.json").json()["run"]["run_id"] == run_id
    assert visitor.get("/runs/latest").status_code == 200
    missing = visitor.get(f"/runs/{run_id[:-1]}x")
    assert missing.status_code == 404
    assert run_id in missing.text


@pytest.mark.parametrize("tab", ["spans", "events", "metrics", "usage", "raw", "transcript"])
def test_every_tab_of_a_run_has_its_json(visitor: Visitor, tab: str) -> None:
    """For programs, by the same address."""
    found = visitor.get(f"/runs/{_reporter(visitor)}.json?tab={tab}").json()
    assert found["tab"] == tab
    assert found["run"]["agent_name"] == "reporter"


def test_two_runs_beside_each_other(visitor: Visitor) -> None:
    """What differs comes first; earlier runs of the same job are offered."""
    runs = visitor.get("/runs.json?agent=importer").json()["runs"]
    one, other = runs[0]["run_id"], runs[1]["run_id"]
    assert other in visitor.get(f"/runs/{one}?tab=compare").text
    fields = visitor.get(f"/runs/{one}.json?tab=compare&with={other}").json()["data"]["fields"]
    assert fields[0]["one"] != fields[0]["other"]


def test_queries_read_and_nothing_else(visitor: Visitor) -> None:
    """A table and CSV; what would write is refused with the reason."""
    query = "SELECT+agent_name,+count(*)+AS+runs+FROM+agent_runs+GROUP+BY+1"
    assert "agent_name,runs" in visitor.get(f"/sql.csv?q={query}").text
    refused = visitor.get("/sql?q=DELETE+FROM+agent_runs").text
    assert "read-only here: DELETE is not allowed" in refused
    assert visitor.get("/sql.json?q=ATTACH+'/etc/passwd'+AS+x").status_code == 400


def test_the_saved_queries_and_the_schema_are_right(visitor: Visitor) -> None:
    """Every query to begin with runs as it is."""
    from indexer.ui.queries.saved import SAVED

    for query in SAVED.values():
        assert visitor.ask("GET", "/sql.json", visitor.signed_in, params={"q": query}).is_success
    assert "stale_runs" in visitor.get("/sql").text


def test_a_base_without_runs_says_what_to_do(base: Path) -> None:
    """No error, and three lines of Python."""
    with visiting(base) as visitor:
        for path in ("/", "/runs", "/agents", "/usage", "/sql", "/health"):
            assert visitor.get(path).status_code == 200
        assert "TelemetryClient" in visitor.get("/").text
        assert not base.exists()


@pytest.mark.needs("open-moves")
def test_a_database_that_is_replaced_is_read_anew(base: Path, client: TelemetryClient) -> None:
    """A rebuild behind the page's back shows at the next request."""
    with client.track_run("first", "job"):
        pass
    index_once(Base.at(base, {}))
    with visiting(base) as visitor:
        assert "first" in visitor.get("/runs").text
        for file in (base / "db").glob("telemetry.sqlite*"):
            file.unlink()
        assert "first" not in visitor.get("/runs").text
        index_once(Base.at(base, {}))
        assert "first" in visitor.get("/runs").text


def test_a_database_that_is_just_being_made_is_an_empty_one(
    base: Path, client: TelemetryClient
) -> None:
    """Between the file and its tables there is a moment; the next request sees what came."""
    database = base / "db" / "telemetry.sqlite"
    with client.track_run("first", "job"):
        pass
    database.parent.mkdir(parents=True)
    database.touch()
    with visiting(base) as visitor:
        assert visitor.get("/runs").status_code == 200
        index_once(Base.at(base, {}))
        assert "first" in visitor.get("/runs").text


def test_a_database_of_another_kind_is_an_answer(base: Path) -> None:
    """Said with a reason, not shown as a traceback."""
    (base / "db").mkdir(parents=True)
    (base / "db" / "telemetry.sqlite").write_bytes(b"no database at all, but long enough" * 50)
    with visiting(base) as visitor:
        answer = visitor.get("/runs")
        assert answer.status_code == 503
        assert "telemetry.sqlite" in answer.text


def test_alerts_that_fire_are_on_the_overview_until_they_are_resolved(
    base: Path, client: TelemetryClient
) -> None:
    """By rule and subject, with what was measured; health has them too."""
    with client.track_run("agent", "job"):
        pass
    item = {
        "subject": "crawler <b>",
        "occurrence": "1",
        "measured": "3 of 10 failed",
        "run_id": "run/1",
    }
    _add_alert(base, "alert.fired", 1, item)
    with visiting(base) as visitor:
        for path in ("/", "/health"):
            page = visitor.get(path).text
            assert "crawler &lt;b&gt;" in page
            assert "3 of 10 failed" in page
            assert 'href="/runs/run%2F1"' in page
        assert 'href="/health#alerts"' in visitor.get("/").text
        assert 'id="alerts"' in visitor.get("/health").text
        assert visitor.get("/overview.json").json()["alerts"][0]["rule"] == "failures"
    _add_alert(base, "alert.resolved", 2, item)
    with visiting(base) as visitor:
        assert "3 of 10 failed" not in visitor.get("/").text


def _add_alert(base: Path, kind: str, number: int, item: dict[str, str]) -> None:
    time = f"2026-01-01T00:00:0{number}.000000Z"
    data = {"number": number, "items": [item]}
    event = Event(f"a{number}", "h/1", kind, f"{ALERT_SUBJECT}.failures", time, data)
    with open(base / "raw" / "events_20260101.ndjson", "ab") as log:
        log.write(encode(event))
    index_once(Base.at(base, {}))


def test_a_run_is_found_by_what_its_events_say(base: Path, client: TelemetryClient) -> None:
    """Where the indexer keeps an index of them; words that no run has leave none."""
    (base / "config").mkdir(parents=True)
    (base / "config" / "telemetry.toml").write_text("[search]\nindex = true\n")
    with client.track_run("wanted", "job") as run:
        run.log_event("e", {"text": "a needle"})
    with client.track_run("other", "job"):
        pass
    index_once(Base.at(base, {}))
    with visiting(base) as visitor:
        found = visitor.get("/runs.json?q=needle").json()["runs"]
        assert [one["agent_name"] for one in found] == ["wanted"]
        assert visitor.get("/runs.json?q=needle+nothing").json()["runs"] == []
        assert "wanted" in visitor.get("/runs?q=need").text
