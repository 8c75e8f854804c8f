"""What people see, with mouse, keyboard and screen reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the page needs the extra `ui`, and Python 3.10")

from indexer.database.freshness import index_once
from indexer.system.base import Base
from telemetry_core import TelemetryClient
from tests.support.browser import Server, serving, watched
from tests.support.daemon import eventually

PAGES = ("/", "/runs", "/agents", "/usage", "/sql", "/health")
TABS = ("spans", "events", "metrics", "usage", "raw", "compare")


def _run_path(window: Any, agent: str) -> str:
    page = window.go(f"/runs?agent={agent}&job=daily,nightly")
    return str(page.locator("#runs-table tbody tr th a").first.get_attribute("href"))


@pytest.mark.parametrize(
    ("size", "scheme", "examines"),
    [
        ("wide", "light", True),
        ("narrow", "dark", False),
        pytest.param("wide", "dark", True, marks=pytest.mark.laboratory),
        pytest.param("phone", "light", True, marks=pytest.mark.laboratory),
        pytest.param("phone", "dark", True, marks=pytest.mark.laboratory),
        pytest.param("4k", "light", False, marks=pytest.mark.laboratory),
    ],
)
def test_every_page_fits_and_is_accessible(
    browser: Any, server: Server, size: str, scheme: str, examines: bool
) -> None:
    """No error, no foreign request, no sideways scrolling; axe-core finds nothing serious."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with watched(browser, server, size, color_scheme=scheme) as window:
        path = _run_path(window, "crawler")
        for address in (*PAGES, *(f"{path}?tab={tab}" for tab in TABS)):
            page = window.go(address)
            width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert width <= 0, f"{address} is {width} px too wide"
            if examines:
                found = axe.run(page).response["violations"]
                serious = [v for v in found if v["impact"] in ("serious", "critical")]
                reported = [(v["id"], v["nodes"][0]["html"][:200]) for v in serious]
                assert reported == [], address


def test_a_page_is_three_requests_and_small(browser: Any, server: Server) -> None:
    """Page, style and script, and nothing while nothing happens; few nodes."""
    with watched(browser, server) as window:
        path = _run_path(window, "crawler")
        for address, nodes in (("/", 1200), ("/runs", 1200), (path, 2000)):
            window.requests.clear()
            page = window.go(address)
            own = [url for url in window.requests if "/events" not in url and "part=" not in url]
            assert len([url for url in own if not url.startswith("data:")]) <= 3
            assert page.evaluate("document.querySelectorAll('*').length") < nodes


def test_runs_appear_and_change_by_themselves(
    browser: Any, base: Path, client: TelemetryClient
) -> None:
    """A run that starts comes up on the open page; when it fails, its row says so."""
    with client.track_run("before", "job"):
        pass
    with serving(base) as server, watched(browser, server) as window:
        page = window.go("/runs")
        page.locator(".live[data-state=live]").wait_for()
        run_id = client.start_run("newcomer", "job")
        page.locator("tr", has_text="newcomer").wait_for()
        client.end_run(run_id, "failed", error_summary="ValueError: no")
        page.locator("tr", has_text="newcomer").locator(".s-failed").wait_for()
        assert "ValueError: no" in page.locator("tr", has_text="newcomer").inner_text()


@pytest.mark.parametrize("opened", ["before the first run", "after it"])
def test_new_runs_wait_while_somebody_reads(
    browser: Any, base: Path, client: TelemetryClient, opened: str
) -> None:
    """With the pointer in the table, a pill counts them; `n` takes them in."""
    if opened == "after it":
        with client.track_run("before", "job"):
            pass
        index_once(Base.at(base, {}))
    with serving(base) as server, watched(browser, server) as window:
        page = window.go("/runs")
        page.locator(".live[data-state=live]").wait_for()
        if opened == "before the first run":
            with client.track_run("before", "job"):
                pass
        page.locator("#runs-table tbody tr").first.hover()
        for number in range(3):
            with client.track_run(f"new-{number}", "job"):
                pass
        page.get_by_text("3 new runs").wait_for()
        assert page.locator("tr", has_text="new-1").count() == 0
        page.keyboard.press("n")
        page.locator("tr", has_text="new-1").wait_for()


def test_a_filter_narrows_and_the_address_holds_it(browser: Any, server: Server) -> None:
    """Choosing a status asks for it at once; the address alone brings the same list back."""
    with watched(browser, server) as window:
        page = window.go("/runs")
        page.locator("select[name=status]").select_option("failed")
        page.wait_for_url("**status=failed*")
        assert page.locator("#runs-table tbody tr").count() == 1
        page.get_by_label("Text or comparison").fill("price duration<1h")
        page.keyboard.press("Enter")
        page.wait_for_url("**q=price*")
        assert "importer" in page.locator("#runs-table tbody").inner_text()
        page.go_back()
        assert page.get_by_label("Text or comparison").input_value() == ""


def test_on_a_phone_the_filters_fold_away(browser: Any, server: Server) -> None:
    """They open with one tap, and are open where the address holds a filter."""
    with watched(browser, server, "phone") as window:
        page = window.go("/runs")
        agent = page.locator("input[name=agent]")
        assert not agent.is_visible()
        page.get_by_label("Filters", exact=True).tap()
        assert agent.is_visible()
        page = window.go("/runs?status=failed")
        assert page.locator("select[name=status]").is_visible()


def test_the_waterfall_opens_at_the_error_and_folds(browser: Any, server: Server) -> None:
    """The failed span is chosen; equal siblings are folded and unfold; details appear."""
    with watched(browser, server) as window:
        page = window.go(_run_path(window, "importer"))
        page.locator(".wf-row.chosen", has_text="read").wait_for()
        page = window.go(_run_path(window, "crawler"))
        group = page.locator(".wf-body.virtual .wf-row", has_text="\u00d7 7").first
        group.wait_for()
        before = page.locator(".wf-row:visible").count()
        group.locator(".wf-fold").click()
        eventually(lambda: page.locator(".wf-row:visible").count() == before + 7)
        page.locator(".wf-row", has_text="chat gpt-5").first.click()
        page.locator("#detail", has_text="1,200").wait_for()
        assert "#span=" in page.url


def test_a_keyboard_reaches_everything(browser: Any, server: Server) -> None:
    """Pages, search, rows, a run, its waterfall, help, and back: without a pointer."""
    with watched(browser, server) as window:
        page = window.go("/")
        page.keyboard.press("g")
        page.keyboard.press("r")
        page.wait_for_url("**/runs")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        page.keyboard.press("Enter")
        page.wait_for_url("**/runs/*")
        page.locator(".wf-body.virtual").wait_for()
        page.keyboard.press("]")
        page.wait_for_function("document.querySelector('#run-head')")
        page.locator("#wf-body").focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("?")
        page.locator("dialog[open]", has_text="next and previous").wait_for()
        page.keyboard.press("Escape")
        page.keyboard.press("u")
        page.wait_for_url("**/runs")
        page.keyboard.press("/")
        page.keyboard.type("price")
        page.keyboard.press("Enter")
        page.wait_for_url("**q=price*")


def test_more_tabs_than_connections(browser: Any, base: Path, client: TelemetryClient) -> None:
    """One stream for all tabs: the eighth loads, and a tab that is shown catches up."""
    with client.track_run("before", "job"):
        pass
    with serving(base) as server, watched(browser, server) as window:
        tabs = [window.page, *(window.tab() for _ in range(7))]
        for tab in tabs:
            tab.goto(f"{window.url}/runs")
        streams = [url for url in window.requests if "/events" in url]
        assert len(tabs) == 8
        assert len(streams) >= 1
        with client.track_run("late", "job"):
            pass
        for tab in tabs:
            tab.bring_to_front()
            tab.locator("tr", has_text="late").wait_for()


def test_the_page_reconnects(browser: Any, base: Path, client: TelemetryClient) -> None:
    """When the server comes back, the open page is live again and has what it missed."""
    with client.track_run("before", "job"):
        pass
    with serving(base) as server:
        window = watched(browser, server)
        with window as watching:
            page = watching.go("/runs")
            page.locator(".live[data-state=live]").wait_for()
            port = server.port
            assert server.stop() == 0
            page.locator(".live[data-state=reconnecting]").wait_for()
            with client.track_run("meanwhile", "job"):
                pass
            with serving(base, port):
                page.locator("tr", has_text="meanwhile").wait_for(timeout=20_000)
                page.locator(".live[data-state=live]").wait_for()
            watching.problems.clear()  # A refused connection is what was to be seen.


def test_without_scripts_everything_can_be_read(browser: Any, server: Server) -> None:
    """Lists, waterfall, details and queries are pages and links."""
    with watched(browser, server, java_script_enabled=False) as window:
        path = _run_path(window, "crawler")
        page = window.go(path)
        assert page.locator(".wf-row").count() > 5
        page.locator(".wf-row a", has_text="chat gpt-5").first.click()
        assert "1,200" in page.locator("#detail").inner_text()
        page = window.go("/sql")
        page.locator("#query").fill("SELECT count(*) AS runs FROM agent_runs")
        page.get_by_role("button", name="Run").click()
        assert "4" in page.locator("table.result").inner_text()
