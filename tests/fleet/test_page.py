"""The page of a fleet says what the page of one base with all hosts' logs would say."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

pytest.importorskip("starlette", reason="the page needs the extra `ui`, and Python 3.10")

from indexer.fleet.errors import FleetUnreachable
from indexer.system.base import Base
from indexer.ui.fleet.readers import FleetReaders
from indexer.ui.fleet.source import fleet_source
from indexer.ui.launch import NotServed, link_to
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.browser import serving
from tests.support.centre import Host, configure
from tests.support.clickhouse import Centre, Server
from tests.support.fleet import SHARED, Fleet, make_fleet
from tests.support.page import Visitor, visiting

pytestmark = pytest.mark.needs("clickhouse")

PAGES = (
    "/overview.json",
    "/runs.json?limit=200&show=all",
    "/runs.json?limit=3",
    "/runs.json?agent=crawler&status=stale",
    "/runs.json?q=column%3A+price",
    "/runs.json?sort=duration&show=all",
    "/runs.csv?status=failed",
    "/agents.json",
    "/usage.json?since=",
    "/usage.json?by=agent&since=",
    "/usage.json?by=day&since=",
    "/runs/SHARED.json",
    "/runs/PARENT.json",
    "/runs/PARENT.json?tab=metrics",
    "/runs/PARENT.json?tab=events",
    "/runs/PARENT.json?tab=usage",
    "/runs/research-run.json",
    "/runs/research-run.json?tab=compare&with=SHARED",
    "/runs/latest.json",
    "/runs/nothing.json",
)


@pytest.fixture(scope="module")
def fleet(module_centre: Centre, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Three hosts that shipped."""
    return make_fleet(tmp_path_factory.mktemp("page"), module_centre)


@pytest.fixture(scope="module")
def there(fleet: Fleet) -> Iterator[Visitor]:
    """Who looks at the fleet."""
    with visiting(fleet.reader, reads_fleet=True) as one:
        yield one


@pytest.fixture(scope="module")
def here(fleet: Fleet) -> Iterator[Visitor]:
    """Who looks at the base with all logs."""
    with visiting(fleet.union) as one:
        yield one


def _parent(visitor: Visitor) -> str:
    runs = visitor.get("/runs.json?limit=200&show=all").json()["runs"]
    (parent,) = {run["parent_run_id"] for run in runs if run["job_type"] == "child"}
    return str(parent)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_that_of_one_base_would(page: str, here: Visitor, there: Visitor) -> None:
    """With the same rows and numbers, and the same status."""
    path = page.replace("SHARED", SHARED).replace("PARENT", quote(_parent(here), safe=""))
    expected, found = here.get(path), there.get(path)
    assert _comparable(found.text) == _comparable(expected.text)
    assert found.status_code == expected.status_code


def _comparable(text: str) -> str:
    """Without what depends on the moment of asking, or is of one host alone."""
    text = re.sub(r'data-position="[^"]*"|<span class="quiet fleet">.*</span>|\s', "", text)
    text = re.sub(r'"health":(null|\{[^}]*\})', "", text)
    text = re.sub(r'"(elapsed_ms|segment|offset|file_id)":[^,}]*', "", text)
    return re.sub(r"(\d+\.\d{6})\d+", r"\1", text)


@pytest.mark.parametrize(
    "path", ["/", "/runs", "/agents", "/usage", "/sql", "/health", f"/runs/{SHARED}", "/nowhere"]
)
def test_every_page_says_which_fleet_it_shows(path: str, there: Visitor, fleet: Fleet) -> None:
    """In its header, and nothing of the base that the server was started on."""
    text = there.get(path).text
    assert f"fleet fleet at 127.0.0.1:{fleet.centre.server.port}" in text
    assert str(fleet.reader) not in text


def test_the_page_of_a_host_says_nothing_of_a_fleet(here: Visitor) -> None:
    """It has no name to show."""
    assert "fleet" not in here.get("/").text


def test_health_is_said_to_be_of_one_host(there: Visitor) -> None:
    """Rather than that all is clear, which nobody here knows."""
    answer = there.get("/health")
    assert answer.status_code == 200
    assert "Health is of one host" in answer.text
    assert "All clear" not in there.get("/").text
    assert there.get("/health.json").json() == {"state": "unknown", "problems": []}


def test_queries_are_the_centres_own(there: Visitor) -> None:
    """Its functions, its tables, its errors; nothing can be changed."""
    asked = there.get(
        "/sql.json?q=SELECT+uniqExact(agent_name)+AS+agents,+[1]+AS+one+FROM+agent_runs"
    )
    (row,) = asked.json()["rows"]
    assert row["agents"] > 3
    assert row["one"] == "[1]"
    failed = there.get("/sql.json?q=DROP+TABLE+run_rows")
    assert failed.status_code == 400
    assert "readonly" in failed.json()["error"]
    assert "node_rows" in there.get("/sql").text


def test_the_saved_queries_work(there: Visitor) -> None:
    """All of those that the page offers."""
    text = there.get("/sql").text
    links = re.findall(r'href="(/sql\?q=[^"]+)"', text)
    assert len(links) == 6
    for link in links:
        answer = there.get(link.replace("/sql?", "/sql.json?").replace("&amp;", "&"))
        assert answer.status_code == 200, answer.text


def test_a_run_leads_to_the_same_others(here: Visitor, there: Visitor) -> None:
    """To its parent, to earlier ones it can be compared with, and to those of a similar id."""
    (child,) = here.get("/runs.json?limit=200&show=all&job=child").json()["runs"]
    newest = here.get("/runs.json?limit=1&agent=importer").json()["runs"][0]
    for path in (child["run_id"], f"{newest['run_id']}?tab=compare", "reserch-run"):
        links = [
            set(re.findall(r'href="(/runs/[^"]+)', one.get(f"/runs/{path}").text))
            for one in (here, there)
        ]
        assert links[0] == links[1]
        assert links[0]


def test_lists_that_are_cut_say_so(here: Visitor, fleet: Fleet, monkeypatch) -> None:
    """What began since the oldest of the newest runs is there, and what runs now; no more."""
    listed = here.get("/runs.json?limit=200&show=all").json()["runs"]
    since = [run for run in listed if run["start_time"] >= "2026-01-01T00:00:08"]
    monkeypatch.setattr("indexer.ui.fleet.readers.MOST_ROWS", len(since))
    with visiting(fleet.reader, reads_fleet=True) as visitor:
        text = visitor.get("/runs?show=all").text
        assert f"only the newest {len(since)} runs of the fleet were read" in text
        assert "killed-run" in visitor.get("/runs?status=stale").text
        assert "claude-code-first" not in visitor.get("/runs.json?limit=200&show=all").text
        used = visitor.get("/usage.json?by=agent&since=").json()["usage"]
        assert {row["agent"]: row["calls"] for row in used}["helper"] == 1
        assert "researcher" not in {row["agent"] for row in used}
        assert "only the newest" not in visitor.get(f"/runs/{SHARED}").text


def test_pages_ask_the_centre_again_only_when_a_host_has_shipped(
    centre: Centre, hosts: Path, monkeypatch
) -> None:
    """One small question tells; what was copied is used until then."""
    monkeypatch.setattr("indexer.ui.fleet.readers._good_for", lambda _: 0.0)
    host, readers = _host_and_readers(centre, hosts)
    with closing(readers):
        assert _agents(readers) == ["first"]
        centre.server.requests()
        assert not readers.look()
        assert _agents(readers) == ["first"]
        asked = centre.server.requests()
        assert len(asked) == 2
        assert all("node_rows" in sql for sql in asked)
        _record(host, "second")
        assert readers.look()
        assert not readers.look()
        assert _agents(readers) == ["first", "second"]


def test_an_open_page_hears_that_a_host_has_shipped(centre: Centre, hosts: Path) -> None:
    """While it is open; nobody asks the centre before."""
    host, readers = _host_and_readers(centre, hosts)
    readers.close()
    source = fleet_source(Base.at(hosts / "reader", {}), None)
    with source.readers.connection(2.0):
        pass
    centre.server.requests()

    async def listen() -> bytes:
        messages = source.stream.messages(source.stream.position)
        assert b"event: many" not in await messages.__anext__()
        await asyncio.get_running_loop().run_in_executor(None, _record, host, "second")
        async for message in messages:
            if b"event: many" in message:
                await messages.aclose()
                return bytes(message)
        raise AssertionError("the stream ended")

    assert b"event: many" in asyncio.run(asyncio.wait_for(listen(), 60))
    source.stream.close()
    source.readers.close()


def test_a_centre_that_does_not_answer_is_a_page_that_says_so(tmp_path: Path) -> None:
    """With the fleet it is about and what to do; the next request asks again."""
    server = Server(tmp_path / "data")
    centre = Centre(server, "telemetry")
    configure(tmp_path / "reader", centre.address)
    centre.client.close()
    server.kill()
    with visiting(tmp_path / "reader", reads_fleet=True) as visitor:
        answer = visitor.get("/runs")
        assert answer.status_code == 503
        assert "the centre cannot be reached" in answer.text
        assert visitor.get("/runs.json").json()["error"].startswith("fleet fleet at 127.0.0.1")
        try:
            server.start()
            assert "No host has shipped to this fleet" in visitor.get("/").text
        finally:
            server.kill()


def test_the_page_of_a_fleet_is_served_beside_the_hosts_own(centre: Centre, hosts: Path) -> None:
    """A link opens the page that it was asked for, whichever of the two began last."""
    configure(hosts, centre.address)
    base = Base.at(hosts, {})
    browser = {"sec-fetch-site": "none", "sec-fetch-dest": "document"}
    with serving(hosts, command=("ui", "--fleet")) as fleet, serving(hosts) as own:
        for page, of_fleet in ((fleet, True), (own, False)):
            link = link_to(base, "/runs", of_fleet=of_fleet)
            assert link.startswith(f"{page.url}/")
            assert httpx.get(link, headers=browser).status_code == 303
    with pytest.raises(NotServed, match="no page is served for the fleet"):
        link_to(base, of_fleet=True)


def test_errors_of_looking_are_the_readers_own(tmp_path: Path) -> None:
    """So that the thread that looks can tell them from bugs."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "telemetry.toml").write_text(
        '[targets.fleet]\nkind = "clickhouse"\nurl = "http://127.0.0.1:1"\ndatabase = "d"\n'
    )
    readers = FleetReaders(Base.at(tmp_path, {}), None)
    with closing(readers), pytest.raises(FleetUnreachable):
        readers.look()


def _host_and_readers(centre: Centre, hosts: Path) -> tuple[Host, FleetReaders]:
    host = Host(Base(TelemetryConfig.for_base(hosts / "one")), centre)
    _record(host, "first")
    configure(hosts / "reader", centre.address)
    return host, FleetReaders(Base.at(hosts / "reader", {}), None)


def _record(host: Host, agent: str) -> None:
    with TelemetryClient(host.base.config).track_run(agent, "job"):
        pass
    host.ship()


def _agents(readers: FleetReaders) -> list[str]:
    with readers.connection(2.0) as connection:
        return [
            row[0] for row in connection.execute("SELECT agent_name FROM agent_runs ORDER BY 1")
        ]
